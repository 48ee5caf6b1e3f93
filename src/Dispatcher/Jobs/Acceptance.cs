using Dispatcher.Contracts;
using Dispatcher.Policies.Model;

namespace Dispatcher.Jobs;

/// <summary>
/// A decided submission that is not stored yet: a job or a denial, with its first timeline entry, its messages and its answer.
/// </summary>
internal sealed record Acceptance
{
    /// <summary>Null for a denial.</summary>
    public Job? Job { get; init; }

    /// <summary>Null for a job.</summary>
    public Denial? Denial { get; init; }

    /// <summary>
    /// Denied because no bundle is in force. The denial is answered and not stored, so that the same submission is evaluated again once a
    /// bundle is in force.
    /// </summary>
    public bool IsDeniedWithoutBundle { get; init; }

    /// <summary>
    /// Why the payload does not match the schema of its topic. If any, the submission is refused and not stored, unless its job is known.
    /// </summary>
    public IReadOnlyList<PayloadError> PayloadErrors { get; init; } = [];

    public bool IsStored => !IsDeniedWithoutBundle && PayloadErrors.Count == 0;

    /// <summary>The first round of approval. Null: the job is not held.</summary>
    public Approval? Approval { get; init; }

    public required TimelineEntry Entry { get; init; }

    /// <summary>The entry that ends a job which expired before it was read. Null: it did not expire.</summary>
    public TimelineEntry? End { get; init; }

    public IEnumerable<TimelineEntry> Entries => End is null ? [Entry] : [Entry, End];

    public required IReadOnlyList<OutboxMessage> Outbox { get; init; }

    public required JobDecision Answer { get; init; }

    public Guid JobId => Answer.JobId;

    public string Principal => Job?.Principal ?? Denial!.Principal;

    public string? Key => Job?.IdempotencyKey ?? Denial?.IdempotencyKey;
}

/// <summary>
/// A submission that could not be read: its dead letter, its timeline entry (whose job id is the id of the dead letter) and the messages
/// that report it.
/// </summary>
internal sealed record Refusal(DeadLetter DeadLetter, TimelineEntry Entry, IReadOnlyList<OutboxMessage> Outbox);
