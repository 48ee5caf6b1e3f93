using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Storage.Rows;
using NpgsqlTypes;

namespace Dispatcher.Storage;

/// <summary>
/// The columns that statements write, listed once for both databases. The times that the store sets itself (<c>at</c>, <c>created_at</c>,
/// …) are not in the lists.
/// </summary>
internal static class Columns
{
    /// <summary>The submitted facts of a job: written once.</summary>
    public static readonly Column<Job>[] JobFacts =
    [
        Uuid<Job>("job_id", job => job.JobId),
        Text<Job>("principal", job => job.Principal),
        Text<Job>("topic", job => job.Topic),
        Text<Job>("labels", job => StoredJson.Write(job.Labels)),
        Text<Job>("risk_tags", job => StoredJson.Write(job.RiskTags)),
        Bytes<Job>("payload", job => job.Payload),
        Text<Job>("idempotency_key", job => job.IdempotencyKey),
        Text<Job>("workflow_id", job => job.WorkflowId),
        Long<Job>("cost_tokens", job => job.CostTokens),
        Long<Job>("cost_usd_micros", job => job.CostUsdMicros),
        Long<Job>("not_after", job => job.NotAfter),
        Text<Job>("job_hash", job => job.JobHash),
        Text<Job>("reply_to", job => job.ReplyTo),
        Text<Job>("correlation_id", job => job.CorrelationId),
        Text<Job>("trace_parent", job => job.TraceParent),
    ];

    /// <summary>The progress of a job: written by every move.</summary>
    public static readonly Column<Job>[] JobLive =
    [
        Text<Job>("state", job => WireNames.Of(job.State)),
        Int<Job>("version", job => job.Version),
        Int<Job>("attempt", job => job.Attempt),
        Int<Job>("spent", job => job.FailedAttempts),
        new Column<Job, long>("ready_at", NpgsqlDbType.Bigint, job => job.ReadyAt),
        Long<Job>("give_up_at", job => job.OverallDeadline),
        Long<Job>("due_at", job => job.DueAt),
        Text<Job>("verdict", job => WireNames.Of(job.Verdict)),
        Text<Job>("rules", job => StoredJson.Write(job.Rules)),
        Text<Job>("reason", job => job.Reason),
        Text<Job>("constraints", job => job.Constraints is null ? null : StoredJson.Write(job.Constraints)),
        Text<Job>("policy_hash", job => job.PolicyHash),
        Text<Job>("basis_hash", job => job.BasisHash),
        Int<Job>("approval_round", job => job.ApprovalRound),
        Text<Job>("pool", job => job.Pool),
        Long<Job>("run_limit_us", job => job.RunLimitUs),
        Long<Job>("heartbeat_us", job => job.HeartbeatUs),
        Long<Job>("start_by", job => job.StartBy),
        new Column<Job, Guid?>("run_id", NpgsqlDbType.Uuid, job => job.RunId),
        Text<Job>("worker", job => job.Worker),
        Text<Job>("claimed_by", job => job.ClaimedBy),
        Long<Job>("run_until", job => job.RunUntil),
        Bool<Job>("cancel_requested", job => job.CancelRequested),
        Bytes<Job>("result", job => job.Result),
        Bool<Job>("result_truncated", job => job.ResultTruncated),
        Text<Job>("fault", job => job.Fault is null ? null : StoredJson.Write(job.Fault)),
        Text<Job>("fault_class", job => job.FaultClass),
    ];

    /// <summary>All columns of a new job.</summary>
    public static readonly Column<Job>[] NewJob = [.. JobFacts, .. JobLive];

    /// <summary>
    /// The columns of a job for the sweep: all of them, with an empty payload and a null result, because 250 payloads could take 64 MB.
    /// </summary>
    public static string JobWithoutPayloadAndResult(string noBytes) =>
        $"{NewJob.Where(column => column.Name is not ("payload" or "result")).Names()}, "
        + $"{noBytes} as payload, cast(null as bytea) as result, created_at, updated_at, finished_at";

    /// <summary>The columns that a move writes, and the values that it compares.</summary>
    public static readonly Column<Move>[] Move =
    [
        Uuid<Move>("job_id", move => move.Before.JobId),
        Int<Move>("version_read", move => move.Before.Version),
        Text<Move>("under_policy", move => move.UnderPolicy),
        Bool<Move>("is_final", move => move.After.State.IsFinal()),
        Bool<Move>("dispatches", move => move.IsDispatch),
        new Column<Move, Guid?>("approval_id", NpgsqlDbType.Uuid, move => move.Approval?.ApprovalId),
        Text<Move>("approval_from", move => move.Approval?.From),
        Text<Move>("approval_to", move => move.Approval?.To),
        Text<Move>("end_reason", move => move.Approval?.EndReason),
        new Column<Move, Guid?>("permit_id", NpgsqlDbType.Uuid, move => move.PermitId),
        .. JobLive.Select(column => column.Of<Move>(move => move.After)),
    ];

    /// <summary>A new round of approval, without the columns that are null in it.</summary>
    public static readonly Column<Approval>[] Approval =
    [
        Uuid<Approval>("approval_id", approval => approval.CorrelationId),
        Uuid<Approval>("job_id", approval => approval.JobId),
        Int<Approval>("round", approval => approval.Round),
        Text<Approval>("state", approval => approval.State),
        Int<Approval>("version", approval => approval.Version),
        Text<Approval>("job_hash", approval => approval.JobHash),
        Text<Approval>("policy_hash", approval => approval.PolicyHash),
        Text<Approval>("basis_hash", approval => approval.BasisHash),
        Text<Approval>("view_hash", approval => approval.ViewHash),
        Text<Approval>("requirement", approval => StoredJson.Write(approval.Requirement)),
        Text<Approval>("votes", approval => StoredJson.Write(approval.Votes)),
        Long<Approval>("created_at", approval => approval.CreatedAt),
        Long<Approval>("decide_by", approval => approval.DecideBy),
    ];

    public static readonly Column<Denial>[] Denial =
    [
        Uuid<Denial>("job_id", denial => denial.JobId),
        Text<Denial>("principal", denial => denial.Principal),
        Text<Denial>("topic", denial => denial.Topic),
        Text<Denial>("idempotency_key", denial => denial.IdempotencyKey),
        Text<Denial>("job_hash", denial => denial.JobHash),
        Text<Denial>("policy_hash", denial => denial.PolicyHash),
        Text<Denial>("labels", denial => StoredJson.Write(denial.Labels)),
        Text<Denial>("risk_tags", denial => StoredJson.Write(denial.RiskTags)),
        Bytes<Denial>("payload", denial => denial.Payload),
        Text<Denial>("workflow_id", denial => denial.WorkflowId),
    ];

    public static readonly Column<TimelineEntry>[] Entry =
    [
        Uuid<TimelineEntry>("job_id", entry => entry.JobId),
        Text<TimelineEntry>("kind", entry => entry.Kind),
        Int<TimelineEntry>("attempt", entry => entry.Attempt),
        Text<TimelineEntry>("actor", entry => entry.Actor),
        Bytes<TimelineEntry>("detail", entry => entry.Detail),
    ];

    public static readonly Column<DeadLetter>[] DeadLetter =
    [
        Uuid<DeadLetter>("dead_letter_id", letter => letter.DeadLetterId),
        Text<DeadLetter>("fault_class", letter => letter.FaultClass),
        Text<DeadLetter>("owner", letter => letter.Owner),
        Text<DeadLetter>("topic", letter => letter.Topic),
        Text<DeadLetter>("principal", letter => letter.Principal),
        new Column<DeadLetter, Guid?>("job_id", NpgsqlDbType.Uuid, letter => letter.JobId),
        Int<DeadLetter>("attempt", letter => letter.Attempt),
        Text<DeadLetter>("fault", letter => letter.Fault is null ? null : StoredJson.Write(letter.Fault)),
        Text<DeadLetter>("errors", letter => StoredJson.Write(letter.Errors)),
        Bytes<DeadLetter>("body", letter => letter.Body),
        Int<DeadLetter>("body_length", letter => letter.BodyLength),
        Text<DeadLetter>("body_sha256", letter => letter.BodySha256),
    ];

    public static readonly Column<OutboxMessage>[] Outbox =
    [
        Uuid<OutboxMessage>("message_id", message => message.MessageId),
        Text<OutboxMessage>("exchange", message => message.Exchange),
        Text<OutboxMessage>("routing_key", message => message.RoutingKey),
        Bool<OutboxMessage>("mandatory", message => message.Mandatory),
        Text<OutboxMessage>("type", message => message.Type),
        Bytes<OutboxMessage>("body", message => message.Body),
        Text<OutboxMessage>("headers", message => StoredJson.Write(message.Headers)),
        Long<OutboxMessage>("expires_at", message => message.ExpiresAt),
    ];

    /// <summary>
    /// A message and the id of the job or dead letter that must be stored with it. Null: the message is stored in any case.
    /// </summary>
    public static readonly Column<(Guid? TiedTo, OutboxMessage Message)>[] TiedOutbox =
    [
        new Column<(Guid? TiedTo, OutboxMessage Message), Guid?>("tied_to", NpgsqlDbType.Uuid, tied => tied.TiedTo),
        .. Outbox.Select(column => column.Of<(Guid? TiedTo, OutboxMessage Message)>(tied => tied.Message)),
    ];

    public static readonly Column<Freeze>[] Freeze =
    [
        Uuid<Freeze>("freeze_id", freeze => freeze.FreezeId),
        Text<Freeze>("kind", freeze => freeze.Kind),
        Text<Freeze>("target", freeze => freeze.Target),
        Text<Freeze>("reason", freeze => freeze.Reason),
        Text<Freeze>("actor", freeze => freeze.Actor),
        Long<Freeze>("since", freeze => freeze.Since),
        Long<Freeze>("until", freeze => freeze.Until),
        Long<Freeze>("ended_at", freeze => freeze.EndedAt),
        Text<Freeze>("ended_by", freeze => freeze.EndedBy),
        Text<Freeze>("end_reason", freeze => freeze.EndReason),
    ];

    public static readonly Column<Run>[] Run = [Uuid<Run>("job_id", run => run.JobId), Uuid<Run>("run_id", run => run.RunId)];

    public static string Names<TRow>(this IEnumerable<Column<TRow>> columns, string prefix = "") =>
        string.Join(", ", columns.Select(column => prefix + column.Name));

    public static Column<TRow, Guid> Uuid<TRow>(string name, Func<TRow, Guid> get) => new(name, NpgsqlDbType.Uuid, get);

    public static Column<TRow, string?> Text<TRow>(string name, Func<TRow, string?> get) => new(name, NpgsqlDbType.Text, get);

    public static Column<TRow, int> Int<TRow>(string name, Func<TRow, int> get) => new(name, NpgsqlDbType.Integer, get);

    private static Column<TRow, byte[]?> Bytes<TRow>(string name, Func<TRow, byte[]?> get) => new(name, NpgsqlDbType.Bytea, get);

    private static Column<TRow, long?> Long<TRow>(string name, Func<TRow, long?> get) => new(name, NpgsqlDbType.Bigint, get);

    private static Column<TRow, bool> Bool<TRow>(string name, Func<TRow, bool> get) => new(name, NpgsqlDbType.Boolean, get);
}
