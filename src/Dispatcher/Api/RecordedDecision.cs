using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;

namespace Dispatcher.Api;

/// <summary>A decision as the timeline records it.</summary>
internal sealed record RecordedDecision
{
    /// <summary>The kind of the entry: <c>accepted</c>, <c>held</c>, <c>dispatched</c>, <c>denied</c>.</summary>
    public required string Kind { get; init; }

    /// <summary>
    /// The time of the evaluation, which decides which rules were valid. An entry without it: the time when the entry was written, slightly
    /// later.
    /// </summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>
    /// The evaluated attempt, from 1, as <see cref="Jobs.Job.NextTry"/> counts. An entry without it: as dispatches count.
    /// </summary>
    public required int Attempt { get; init; }

    public required string PolicyHash { get; init; }
    public required string BasisHash { get; init; }
    public required Verdict Verdict { get; init; }
    public required string Reason { get; init; }
    public required IReadOnlyList<string> Rules { get; init; }

    /// <summary>Null: the entry records no decision.</summary>
    public static RecordedDecision? Of(TimelineEntry entry)
    {
        using var detail = JsonDocument.Parse(entry.Detail);
        var decided = detail.RootElement.TryGetProperty("answer", out var answer) ? answer : detail.RootElement;
        // A vote also has a verdict and a basis, but no rules.
        if (
            !decided.TryGetProperty("rules", out var rules)
            || !decided.TryGetProperty("verdict", out var verdict)
            || !detail.RootElement.TryGetProperty("basis_hash", out var basis)
        )
        {
            return null;
        }

        return new RecordedDecision
        {
            Kind = entry.Kind,
            At = detail.RootElement.TryGetProperty("decided_at", out var at) ? at.GetDateTimeOffset() : Timestamps.At(entry.At),
            // The entry of a dispatch already has the number of its attempt.
            Attempt =
                detail.RootElement.TryGetProperty("decided_attempt", out var attempt) ? attempt.GetInt32()
                : entry.Kind == TimelineKinds.Dispatched ? entry.Attempt
                : entry.Attempt + 1,
            PolicyHash = decided.GetProperty("policy_hash").GetString()!,
            BasisHash = basis.GetString()!,
            Verdict = verdict.Deserialize<Verdict>(),
            Reason = decided.TryGetProperty("reason", out var reason) ? reason.GetString()! : "",
            Rules = rules.Deserialize<List<string>>()!,
        };
    }
}
