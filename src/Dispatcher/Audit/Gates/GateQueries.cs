using System.Data;
using System.Data.Common;
using Dispatcher.Audit.Verification;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Audit.Gates;

/// <summary>
/// Computes the gate metrics of a window of time, from and to in microseconds since 1970 by the database's clock. Null: no job ended in the
/// window, so the number is undefined. The SQL is the same for both databases.
/// </summary>
internal sealed class GateQueries(IDbContextFactory<DispatcherDb> database)
{
    private const int JobsAtOnce = 500;

    /// <summary>The index holds only entries with this text in the detail. The detail itself is read and checked afterwards.</summary>
    private const string Marker = "\"verdict\":\"REQUIRE_APPROVAL\"";

    /// <summary>
    /// Jobs that ended by themselves: not by a person (cancelled, rejected), not by the policy (denied), and not while they waited for an
    /// approval. An expired job counts as not succeeded, unless its last wait was for an approval.
    /// </summary>
    private const string Ended = """
        j.finished_at > @from and j.finished_at <= @to
        and (j.state in ('succeeded', 'quarantined', 'dead_lettered') or (j.state = 'expired' and 'held' <> coalesce(
            (select h.kind from timeline h
                where h.job_id = j.job_id
                    and h.kind in ('accepted', 'held', 'approved', 'invalidated', 'returned', 'unclaimed', 'fenced')
                order by h.entry_id desc limit 1), '')))
        """;

    /// <summary>Jobs that were denied because their rows contradicted the timeline. The same role may have changed more rows.</summary>
    private const string Tampered =
        $"j.state = 'denied' and (j.reason like '{PolicyGate.TimelineMismatch}%' or j.reason like '{PolicyGate.HashMismatch}%')";

    /// <summary>How long the approvals of a job took: from each entry that held it to the next entry that approved it.</summary>
    private const string Held = """
        coalesce((
            select cast(sum(a.at - (
                select max(h.at) from timeline h
                where h.job_id = a.job_id and h.kind in ('held', 'approved') and h.kind = 'held' and h.entry_id < a.entry_id)) as bigint)
            from timeline a where a.job_id = j.job_id and a.kind in ('held', 'approved') and a.kind = 'approved'), 0)
        """;

    /// <summary>
    /// How long each ended job took. Most jobs were never held and are read from the index alone; the timeline is read only for the others.
    /// </summary>
    private const string Took = $"""
        select j.finished_at - j.created_at as took from jobs j
        where j.finished_at > @from and j.finished_at <= @to and j.approval_round = 0
            and j.state in ('succeeded', 'quarantined', 'dead_lettered')
        union all
        select j.finished_at - j.created_at - {Held} from jobs j where (j.approval_round > 0 or j.state = 'expired') and {Ended}
        """;

    public async Task<double?> SuccessRateAsync(long from, long to, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var rows = await ReadAsync(
            db,
            $"select count(*), sum(case when j.state = 'succeeded' then 1 else 0 end) from jobs j where {Ended}",
            from,
            to,
            cancellationToken
        );
        var all = Convert.ToInt64(rows[0][0], null);

        // Rounded down: 0.98996 must not look like 0.99.
        return all == 0 ? null : Math.Floor(10_000.0 * Convert.ToInt64(rows[0][1], null) / all) / 10_000;
    }

    public async Task<double?> P95LatencyMsAsync(long from, long to, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);

        // The 95th of 100 is the 6th from the top: reading from there sorts only a twentieth of the rows.
        var rows = await ReadAsync(
            db,
            $"""
            with ended as ({Took})
            select took from ended order by took desc limit 1 offset (select 5 * count(*) / 100 from ended)
            """,
            from,
            to,
            cancellationToken
        );
        return rows.Count > 0 && rows[0][0] is { } took ? Math.Ceiling(Convert.ToInt64(took, null) / 1000.0) : null;
    }

    public async Task<double?> HighRiskUnapprovedAsync(long from, long to, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);

        // Read the jobs before the timeline: a job that is dispatched in between has its entry by the time the timeline is read.
        var undispatched = await ReadAsync(
            db,
            $"""
            select count(*) from jobs j where {UndispatchedJobs.Condition}
            and ((j.due_at is not null and j.state in ('dispatched', 'running', 'retrying'))
                or (j.finished_at > @from and j.finished_at <= @to))
            """,
            from,
            to,
            cancellationToken
        );
        var jobs = await HighRiskJobsAsync(db, from, to, cancellationToken);
        var unapproved = 0L;
        foreach (var some in jobs.Chunk(JobsAtOnce))
        {
            var entries = await db
                .Timeline.AsNoTracking()
                .Where(entry => some.Contains(entry.JobId) && TimelineKinds.OfApprovals.Contains(entry.Kind))
                .OrderBy(entry => entry.EntryId)
                .ToListAsync(cancellationToken);
            var hashes = await db
                .Jobs.Where(job => some.Contains(job.JobId))
                .Select(job => new { job.JobId, job.JobHash })
                .ToDictionaryAsync(job => job.JobId, job => job.JobHash, cancellationToken);
            unapproved += entries
                .GroupBy(entry => entry.JobId)
                .Sum(job => Math.Max(Unapproved(job, from, to), IsOf(hashes.GetValueOrDefault(job.Key), job) ? 0 : 1));
        }

        var tampered = $"select count(*) from jobs j where {Tampered} and j.finished_at > @from and j.finished_at <= @to";
        var refused = await ReadAsync(db, tampered, from, to, cancellationToken);
        var count = unapproved + Convert.ToInt64(undispatched[0][0], null) + Convert.ToInt64(refused[0][0], null);
        return count > 0 || jobs.Count > 0 || await HappenedAsync(db, from, to, cancellationToken) ? count : null;
    }

    /// <summary>
    /// Counts the high-risk dispatches in the window without an approval of their own. Pure: <paramref name="entries"/> are all entries of
    /// one job, in order.
    /// </summary>
    internal static int Unapproved(IEnumerable<TimelineEntry> entries, long from, long to)
    {
        var (approvals, count) = (new ApprovalTrail(), 0);
        foreach (var entry in entries)
        {
            var detail = EntryDetail.Of(entry);
            switch (entry.Kind)
            {
                case TimelineKinds.Accepted or TimelineKinds.Held:
                    approvals.Submitted(detail);
                    break;
                case TimelineKinds.Approved:
                    approvals.Approved(detail);
                    break;
                case TimelineKinds.Unclaimed:
                    approvals.Unclaimed(detail.ApprovalId);
                    break;
                case TimelineKinds.Dispatched
                    when detail.IsHighRisk && approvals.Dispatched(detail) is not null && entry.At > from && entry.At <= to:
                    count++;
                    break;
            }
        }

        return count;
    }

    /// <summary>
    /// Whether the row still has the job hash that was dispatched. <paramref name="jobHash"/> is null if the row is missing.
    /// </summary>
    private static bool IsOf(string? jobHash, IEnumerable<TimelineEntry> entries) =>
        jobHash is not null
        && entries
            .Where(entry => entry.Kind == TimelineKinds.Dispatched)
            .All(entry => EntryDetail.Of(entry).JobHash is not { } dispatched || dispatched == jobHash);

    private static async Task<List<Guid>> HighRiskJobsAsync(DispatcherDb db, long from, long to, CancellationToken cancellationToken)
    {
        // The same expression as in the index.
        var marked = db.Database.IsNpgsql() ? $"position('{Marker}'::bytea in detail) > 0" : $"instr(detail, cast('{Marker}' as blob)) > 0";
        var rows = await ReadAsync(
            db,
            $"select distinct job_id from timeline where kind = 'dispatched' and {marked} and at > @from and at <= @to",
            from,
            to,
            cancellationToken
        );
        return [.. rows.Select(row => row[0] is Guid id ? id : Guid.Parse((string)row[0]!))];
    }

    private static async Task<bool> HappenedAsync(DispatcherDb db, long from, long to, CancellationToken cancellationToken) =>
        (
            await ReadAsync(db, "select 1 from jobs where finished_at > @from and finished_at <= @to limit 1", from, to, cancellationToken)
        ).Count > 0;

    private static async Task<List<object?[]>> ReadAsync(
        DispatcherDb db,
        string sql,
        long from,
        long to,
        CancellationToken cancellationToken
    )
    {
        await db.Database.OpenConnectionAsync(cancellationToken);
        await using var command = db.Database.GetDbConnection().CreateCommand();
#pragma warning disable CA2100 // Constants of this file.
        // PostgreSQL overestimates the cost of these statements and would compile them, which takes longer than running them.
        command.CommandText = db.Database.IsNpgsql() ? "set jit = off; " + sql : sql;
#pragma warning restore CA2100
        Bind(command, "from", from);
        Bind(command, "to", to);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var rows = new List<object?[]>();
        while (await reader.ReadAsync(cancellationToken))
        {
            rows.Add([.. Enumerable.Range(0, reader.FieldCount).Select(i => reader.IsDBNull(i) ? null : reader.GetValue(i))]);
        }

        return rows;
    }

    private static void Bind(DbCommand command, string name, long value)
    {
        var parameter = command.CreateParameter();
        (parameter.ParameterName, parameter.DbType, parameter.Value) = (name, DbType.Int64, value);
        command.Parameters.Add(parameter);
    }
}
