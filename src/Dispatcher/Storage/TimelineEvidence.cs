using Dispatcher.Jobs;
using NpgsqlTypes;

namespace Dispatcher.Storage;

/// <summary>
/// The condition that the timeline must meet for a dispatch or a claim. The rows of jobs and approvals, and the signature of a permit, are
/// not enough: a party with access to the tables could forge them. The same text serves both databases.
/// </summary>
/// <remarks>
/// <para>
/// A dispatch needs an intake entry with the same job hash. If the decision requires an approval, it also needs an entry that approved the
/// same job hash under the same basis, and that no other dispatch has used.
/// </para>
/// <para>A claim needs the dispatch entry of its attempt, with the same permit and the same work message.</para>
/// </remarks>
internal static class TimelineEvidence
{
    /// <summary>The values of a move that are compared with the timeline.</summary>
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
    /// A query for the jobs of <paramref name="claims"/> that the timeline contradicts. It skips a job whose row has another version. The
    /// first intake entry counts: the database sets the ids, so no entry can be inserted before it. Dispatch entries are counted, because
    /// PostgreSQL may answer a <c>not exists</c> from a table of all dispatch entries.
    /// </summary>
    /// <param name="claims">A table expression with the alias <c>w</c> and the columns of <see cref="Claims"/>.</param>
    /// <param name="text">Makes the expression for a text in a detail, from an alias of the timeline and the path to that text.</param>
    public static string Contradicted(string claims, Func<string, string[], string> text) =>
        $"""
            select w.job_id as id from {claims} join jobs r on r.job_id = w.job_id and r.version = w.version_read
            where coalesce((
                    select {text("t", ["answer", "job_hash"])} from timeline t
                    where t.job_id = w.job_id and t.kind in ('accepted', 'held') order by t.entry_id limit 1), '') <> w.job_hash
                or (w.permit_id is not null and 0 = (
                    select count(*) from timeline t
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
