using Dispatcher.Contracts;
using Dispatcher.Policies.Model;

namespace Dispatcher.Jobs;

/// <summary>A decided submission, ready to be stored: a job or a denial, with its first line on the timeline, its messages and its answer.</summary>
internal sealed record Acceptance
{
    /// <summary>Null for a denial.</summary>
    public Job? Job { get; init; }

    /// <summary>Null for a job.</summary>
    public Denial? Denial { get; init; }

    /// <summary>
    /// Denied because there is no bundle: told and on the timeline, but not stored, so that it is not the answer when the same job is handed in again and the cause has passed.
    /// </summary>
    public bool ForNow { get; init; }

    /// <summary>Why the payload does not fit its topic's schema. Not empty: it is refused, not stored, unless it is known already.</summary>
    public IReadOnlyList<PayloadError> PayloadErrors { get; init; } = [];

    public bool IsStored => !ForNow && PayloadErrors.Count == 0;

    /// <summary>The first round of approval, exactly when the job is held.</summary>
    public Approval? Approval { get; init; }

    public required TimelineEntry Entry { get; init; }

    /// <summary>The line that ends a job which expired before it was read. Null: it has not ended.</summary>
    public TimelineEntry? End { get; init; }

    public IEnumerable<TimelineEntry> Entries => End is null ? [Entry] : [Entry, End];

    public required IReadOnlyList<OutboxMessage> Outbox { get; init; }

    public required JobDecision Answer { get; init; }

    public Guid JobId => Answer.JobId;

    public string Principal => Job?.Principal ?? Denial!.Principal;

    public string? Key => Job?.IdempotencyKey ?? Denial?.IdempotencyKey;
}

/// <summary>A submission that could not be read: what is kept of it, its line on the timeline under the id it is kept by, and the messages that say so.</summary>
internal sealed record Refusal(DeadLetter DeadLetter, TimelineEntry Entry, IReadOnlyList<OutboxMessage> Outbox);
