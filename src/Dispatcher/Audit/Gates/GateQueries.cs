using System.Data;
using System.Data.Common;
using Dispatcher.Audit.Verification;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Audit.Gates;

/// <summary>
/// The numbers behind the gates, of a window of time: from and to in microseconds since 1970 by the database's clock. Null: nothing happened in the window, so that
/// there is no number. One text for both databases.
/// </summary>
internal sealed class GateQueries(IDbContextFactory<DispatcherDb> database)
{
    private const int JobsAtOnce = 500;

    /// <summary>Only lines of this kind are in the index; what is in the detail is read again.</summary>
    private const string Marker = "\"verdict\":\"REQUIRE_APPROVAL\"";

    /// <summary>
    /// Jobs that ended by themselves: not by a person (cancelled, rejected), not by the policy (denied), and not while they waited for people. An expired job
    /// counts as one that did not succeed, when its last wait was not for people.
    /// </summary>
    private const string Ended = """
        j.finished_at > @from and j.finished_at <= @to and (j.state in ('succeeded', 'quarantined', 'dead_lettered') or (j.state = 'expired' and 'held' <> coalesce(
            (select h.kind from timeline h where h.job_id = j.job_id and h.kind in ('accepted', 'held', 'approved', 'invalidated', 'returned', 'unclaimed', 'fenced') order by h.entry_id desc limit 1), '')))
        """;

    /// <summary>Jobs whose rows contradicted the timeline: they were refused, and whoever changed them may have changed more.</summary>
    private const string Tampered =
        $"j.state = 'denied' and (j.reason like '{PolicyGate.TimelineMismatch}%' or j.reason like '{PolicyGate.HashMismatch}%')";

    /// <summary>How long people took to approve the job: from each line that held it to the approval that came next.</summary>
    private const string Held = """
        coalesce((
            select cast(sum(a.at - (
                select max(h.at) from timeline h
                where h.job_id = a.job_id and h.kind in ('held', 'approved') and h.kind = 'held' and h.entry_id < a.entry_id)) as bigint)
            from timeline a where a.job_id = j.job_id and a.kind in ('held', 'approved') and a.kind = 'approved'), 0)
        """;

    /// <summary>
    /// How long each ended job took. Nearly all were never held: for those the index has all there is to know. Only of the others the
    /// timeline is read.
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

        // The 95th of 100 is the 6th from above, and finding it from there sorts a twentieth.
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

        // First what is live and what ended: of a job that is dispatched in between, the line is there when it is looked for.
        var undispatched = await ReadAsync(
            db,
            $"""
            select count(*) from jobs j where {UndispatchedJobs.Condition}
            and ((j.due_at is not null and j.state in ('dispatched', 'running', 'retrying')) or (j.finished_at > @from and j.finished_at <= @to))
            """,
            from,
            to,
            cancellationToken
        );
        var jobs = await HighRiskJobsAsync(db, from, to, cancellationToken);
        var unapproved = 0L;
        foreach (var some in jobs.Chunk(JobsAtOnce))
        {
            var lines = await db
                .Timeline.AsNoTracking()
                .Where(line => some.Contains(line.JobId) && TimelineKinds.OfApprovals.Contains(line.Kind))
                .OrderBy(line => line.EntryId)
                .ToListAsync(cancellationToken);
            var hashes = await db
                .Jobs.Where(job => some.Contains(job.JobId))
                .Select(job => new { job.JobId, job.JobHash })
                .ToDictionaryAsync(job => job.JobId, job => job.JobHash, cancellationToken);
            unapproved += lines
                .GroupBy(line => line.JobId)
                .Sum(job => Math.Max(Unapproved(job, from, to), IsOf(hashes.GetValueOrDefault(job.Key), job) ? 0 : 1));
        }

        var tampered = $"select count(*) from jobs j where {Tampered} and j.finished_at > @from and j.finished_at <= @to";
        var refused = await ReadAsync(db, tampered, from, to, cancellationToken);
        var count = unapproved + Convert.ToInt64(undispatched[0][0], null) + Convert.ToInt64(refused[0][0], null);
        return count > 0 || jobs.Count > 0 || await HappenedAsync(db, from, to, cancellationToken) ? count : null;
    }

    /// <summary>How many high-risk dispatches in the window had no approval of their own. Pure: <paramref name="lines"/> are those of one job, in order, from its beginning.</summary>
    internal static int Unapproved(IEnumerable<TimelineEntry> lines, long from, long to)
    {
        var (approvals, count) = (new ApprovalTrail(), 0);
        foreach (var line in lines)
        {
            var detail = EntryDetail.Of(line);
            switch (line.Kind)
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
                    when detail.IsHighRisk && approvals.Dispatched(detail) is not null && line.At > from && line.At <= to:
                    count++;
                    break;
            }
        }

        return count;
    }

    /// <summary>Whether the row still has the job hash that was dispatched. Null: the row is gone.</summary>
    private static bool IsOf(string? jobHash, IEnumerable<TimelineEntry> lines) =>
        jobHash is not null
        && lines
            .Where(line => line.Kind == TimelineKinds.Dispatched)
            .All(line => EntryDetail.Of(line).JobHash is not { } dispatched || dispatched == jobHash);

    private static async Task<List<Guid>> HighRiskJobsAsync(DispatcherDb db, long from, long to, CancellationToken cancellationToken)
    {
        // As the index is made.
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
        // The costs of these statements are estimated too high, so that PostgreSQL would compile them, which takes longer than running
        // them.
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
