using System.Text.Json;
using Dispatcher.Storing;
using Dispatcher.Timelines;

namespace Dispatcher.Auditing;

/// <summary>What completeness asks of a line's detail. What is not there, or not readable, is null: a line that tells nothing proves nothing.</summary>
internal sealed record LineDetail(string? Verdict, string? PolicyHash, string? ApprovalId, string? State, bool HasAnswer, bool CoversRetries)
{
    private static readonly LineDetail Nothing = new(null, null, null, null, false, false);
    private static readonly string HighRisk = WireNames.Of(Contracts.Verdict.RequireApproval);

    /// <summary>Whether the decision at dispatch was that people must approve.</summary>
    public bool IsHighRisk => Verdict == HighRisk;

    public bool HasDecision => Verdict is not null && !string.IsNullOrEmpty(PolicyHash);

    /// <summary>Whether the line leaves the job in a state that it does not leave by itself.</summary>
    public bool IsEnd => State is not null && WireNames.TryState(State, out var state) && Jobs.Transitions.IsFinal(state);

    public static LineDetail Of(TimelineEntry entry)
    {
        try
        {
            using var json = JsonDocument.Parse(entry.Detail);
            var detail = json.RootElement;
            return detail.ValueKind != JsonValueKind.Object
                ? Nothing
                : new LineDetail(Text(detail, "verdict"), Text(detail, "policy_hash"), Text(detail, "approval_id"), Text(detail, "state"), Answers(detail), Text(detail, "covers") == "retries");
        }
        catch (JsonException)
        {
            return Nothing;
        }
    }

    private static bool Answers(JsonElement detail) =>
        detail.TryGetProperty("answer", out var answer) && answer.ValueKind == JsonValueKind.Object && Text(answer, "verdict") is not null && !string.IsNullOrEmpty(Text(answer, "policy_hash"));

    private static string? Text(JsonElement detail, string name) => detail.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
