using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Policies.Model;

namespace Dispatcher.Audit.Verification;

/// <summary>The members of an entry's detail that the checks read. A member that is missing or unreadable is null.</summary>
internal sealed record EntryDetail
{
    private static readonly EntryDetail Nothing = new();
    private static readonly string HighRisk = WireNames.Of(Contracts.Verdict.RequireApproval);

    /// <summary>The verdict of the decision at dispatch, or of the vote.</summary>
    public string? Verdict { get; private init; }

    public string? PolicyHash { get; private init; }
    public string? BasisHash { get; private init; }
    public string? JobHash { get; private init; }
    public string? ApprovalId { get; private init; }
    public string? PermitId { get; private init; }
    public string? State { get; private init; }
    public string? Person { get; private init; }
    public long? UseBy { get; private init; }
    public string? ResultSha256 { get; private init; }
    public string? FaultClass { get; private init; }
    public Fault? Fault { get; private init; }
    public string? DeadLetterId { get; private init; }
    public string? DeadLetterSha256 { get; private init; }
    public string? PayloadSha256 { get; private init; }

    /// <summary>Whether the entry has the decision and the answer of intake.</summary>
    public bool HasAnswer { get; private init; }

    /// <summary>
    /// Whether the job was denied because no bundle was in force. Such a submission is not stored and may be repeated, even with other
    /// content.
    /// </summary>
    public bool IsDeniedWithoutBundle { get; private init; }

    public bool CoversRetries { get; private init; }

    /// <summary>Whether the decision at dispatch required an approval.</summary>
    public bool IsHighRisk => Verdict == HighRisk;

    public bool HasDecision => Verdict is not null && !string.IsNullOrEmpty(PolicyHash);

    /// <summary>Whether the entry leaves the job in a final state.</summary>
    public bool IsEnd => State is not null && WireNames.TryState(State, out var state) && Jobs.Transitions.IsFinal(state);

    public static EntryDetail Of(TimelineEntry entry)
    {
        try
        {
            using var json = JsonDocument.Parse(entry.Detail);
            return json.RootElement.ValueKind == JsonValueKind.Object ? Of(json.RootElement) : Nothing;
        }
        catch (JsonException)
        {
            return Nothing;
        }
    }

    private static EntryDetail Of(JsonElement detail)
    {
        var answer = Found(detail, "answer", JsonValueKind.Object);
        string? Either(string name) => Text(detail, name) ?? (answer is { } element ? Text(element, name) : null);
        return new EntryDetail
        {
            Verdict = Text(detail, "verdict"),
            PolicyHash = Either("policy_hash"),
            BasisHash = Text(detail, "basis_hash"),
            JobHash = Either("job_hash"),
            ApprovalId = Either("approval_id"),
            PermitId = Text(detail, "permit_id"),
            State = Text(detail, "state"),
            Person = Text(detail, "person"),
            UseBy = Found(detail, "use_by", JsonValueKind.Number) is { } useBy && useBy.TryGetInt64(out var micros) ? micros : null,
            ResultSha256 = Text(detail, "result_sha256"),
            FaultClass = Text(detail, "fault_class"),
            Fault = Found(detail, "fault", JsonValueKind.Object)?.Deserialize<Fault>(),
            DeadLetterId = Text(detail, "dead_letter_id"),
            DeadLetterSha256 = Text(detail, "dead_letter_sha256"),
            PayloadSha256 = Text(detail, "payload_sha256"),
            HasAnswer = answer is { } given && Text(given, "verdict") is not null && !string.IsNullOrEmpty(Text(given, "policy_hash")),
            IsDeniedWithoutBundle = answer is { } denied && Text(denied, "reason") == ReasonCodes.NoBundle,
            CoversRetries = Text(detail, "covers") == "retries",
        };
    }

    private static string? Text(JsonElement detail, string name) => Found(detail, name, JsonValueKind.String)?.GetString();

    private static JsonElement? Found(JsonElement detail, string name, JsonValueKind kind) =>
        detail.TryGetProperty(name, out var value) && value.ValueKind == kind ? value : null;
}
