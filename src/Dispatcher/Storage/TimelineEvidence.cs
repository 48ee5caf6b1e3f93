using Dispatcher.Jobs;
using NpgsqlTypes;

namespace Dispatcher.Storage;

/// <summary>
/// The condition under which a job may be dispatched, as the timeline knows it: intake named exactly this job hash, and, where the
/// decision asks for an approval, an entry approved exactly this job hash under exactly this basis, and no dispatch has used it. The
/// condition of a claim: the dispatch of this attempt gave exactly this permit for exactly this work message. The rows of jobs and
/// approvals, and the signature of a permit, are not enough: whoever can read and write the tables can make them. One text for both
/// databases.
/// </summary>
internal static class TimelineEvidence
{
    /// <summary>What a dispatch or a claim rests on.</summary>
    public static readonly Column<Move>[] Claims =
    [
        Columns.Uuid<Move>("job_id", move => move.Before.JobId),
        Columns.Int<Move>("version_read", move => move.Before.Version),
        Columns.Text<Move>("job_hash", move => move.Before.JobHash),
        Columns.Text<Move>("basis_hash", move => move.After.BasisHash),
        new Column<Move, Guid?>(
            "approval_id",
            NpgsqlDbType.Uuid,
            move => move.Approval is { To: ApprovalStates.Consumed } use ? use.ApprovalId : null
        ),
        Columns.Text<Move>("approval_name", move => Approval.NameOf(move.Before.JobId, move.Before.ApprovalRound)),
        Columns.Int<Move>("attempt", move => move.After.Attempt),
        Columns.Text<Move>("permit_id", move => move.Claims?.PermitId.ToString()),
        Columns.Text<Move>("work_sha256", move => move.Claims?.WorkSha256),
    ];

    /// <summary>
    /// A query for the jobs of <paramref name="claims"/> (alias <c>w</c>) that the timeline contradicts. A row that has moved on is not
    /// evaluated. The first entry of intake counts:
    /// the database gives the ids, so that a later entry cannot come before it.
    /// </summary>
    /// <param name="claims">A table expression with the columns of <see cref="Claims"/>.</param>
    /// <param name="text">From an alias of the timeline and the names on the way to a text in its detail, the expression for that
    /// text.</param>
    public static string Contradicted(string claims, Func<string, string[], string> text) =>
        $"""
            select w.job_id as id from {claims} join jobs r on r.job_id = w.job_id and r.version = w.version_read
            where coalesce((
                    select {text("t", ["answer", "job_hash"])} from timeline t
                    where t.job_id = w.job_id and t.kind in ('accepted', 'held') order by t.entry_id limit 1), '') <> w.job_hash
                or (w.permit_id is not null and not exists (
                    select 1 from timeline t
                    where t.job_id = w.job_id and t.kind = 'dispatched' and t.attempt = w.attempt
                        and {text("t", ["permit_id"])} = w.permit_id and {text("t", ["work_sha256"])} = w.work_sha256))
                or (w.approval_id is not null and not exists (
                    select 1 from timeline t join approvals a on a.approval_id = w.approval_id
                    where t.job_id = w.job_id and t.kind in ('held', 'approved') and t.kind = 'approved'
                        and {text("t", ["approval_id"])} = w.approval_name
                        and {text("t", ["job_hash"])} = w.job_hash and {text("t", ["basis_hash"])} = w.basis_hash
                        and {text("t", ["policy_hash"])} = a.policy_hash and {text("t", ["use_by"])} = cast(a.use_by as text)
                        and ({text("t", ["covers"])} = 'retries' or 0 >= (
                            select coalesce(sum(case u.kind when 'dispatched' then 1 else -1 end), 0) from timeline u
                            where u.job_id = w.job_id and u.kind in ('dispatched', 'unclaimed')
                                and {text("u", ["approval_id"])} = w.approval_name))))
            """;
}
