using System.Text.Json;
using Dispatcher.Audit.Verification;
using Dispatcher.Contracts;

namespace Dispatcher.StoreTests.Storage;

/// <summary><c>audit verify</c> reports every change of a row that the timeline does not confirm.</summary>
public abstract class RowTamperingTests(StoreKind kind) : StoreTest(kind)
{
    private static readonly string[] Tables = ["jobs", "approvals", "denials", "dead_letters", "bundles", "active_bundle"];

    /// <summary>The change, the kind of the finding, and the column or table that its message names.</summary>
    private static readonly (string Sql, Gap Kind, string Names)[] Attacks =
    [
        ("update jobs set payload = (select body_x from other)", Gap.JobHashDiffers, "does not match its job_hash"),
        ("update jobs set labels = '{{}}'", Gap.JobHashDiffers, "does not match its job_hash"),
        ("update jobs set principal = 'somebody'", Gap.JobHashDiffers, "does not match its job_hash"),
        ("update jobs set job_hash = 'x'", Gap.JobHashDiffers, "jobs.job_hash"),
        ("update jobs set state = 'succeeded' where state = 'dead_lettered'", Gap.RowDiffers, "jobs.state"),
        ("update jobs set state = 'accepted' where state = 'succeeded'", Gap.RowDiffers, "jobs.state"),
        ("update jobs set state = 'nonsense' where state = 'succeeded'", Gap.RowDiffers, "cannot be read"),
        ("update jobs set attempt = 0 where state = 'succeeded'", Gap.RowDiffers, "jobs.attempt"),
        ("update jobs set result = (select body_x from other) where state = 'succeeded'", Gap.RowDiffers, "jobs.result"),
        ("update jobs set result = null where state = 'succeeded'", Gap.RowDiffers, "jobs.result"),
        ("update jobs set result = (select body_x from other) where state = 'dead_lettered'", Gap.RowDiffers, "jobs.result"),
        ("update jobs set fault_class = 'transient' where state = 'dead_lettered'", Gap.RowDiffers, "jobs.fault_class"),
        ("update jobs set fault = null where state = 'dead_lettered'", Gap.RowDiffers, "jobs.fault"),
        ("delete from jobs where state = 'succeeded'", Gap.RowMissing, "jobs"),
        ("delete from approvals where state = 'Consumed'", Gap.RowMissing, "approvals"),
        ("update approvals set state = 'Approved' where state = 'Consumed'", Gap.RowDiffers, "approvals.state"),
        ("update approvals set state = 'Approved' where state = 'Held'", Gap.RowDiffers, "approvals.state"),
        ("update approvals set state = 'Rejected' where state = 'Approved'", Gap.RowDiffers, "approvals.state"),
        ("update approvals set use_by = use_by + 1 where state = 'Approved'", Gap.RowDiffers, "approvals.use_by"),
        ("update approvals set votes = '[]' where state = 'Approved'", Gap.RowDiffers, "approvals.votes"),
        (
            "update approvals set votes = (select votes from approvals where state = 'Consumed') where state = 'Held'",
            Gap.RowDiffers,
            "approvals.votes"
        ),
        ("update approvals set job_hash = 'x' where state = 'Held'", Gap.RowDiffers, "approvals.job_hash"),
        ("update approvals set policy_hash = 'x' where state = 'Held'", Gap.RowDiffers, "approvals.policy_hash"),
        ("update approvals set basis_hash = 'x' where state = 'Held'", Gap.RowDiffers, "approvals.basis_hash"),
        ("update approvals set round = 2 where state = 'Held'", Gap.RowWithoutEntry, "has a row"),
        ("delete from dead_letters where job_id is not null", Gap.RowMissing, "dead_letters"),
        ("delete from dead_letters where job_id is null", Gap.RowMissing, "dead_letters"),
        ("update dead_letters set owner = 'other' where job_id is not null", Gap.RowDiffers, "dead letter"),
        ("update dead_letters set fault = null where job_id is not null", Gap.RowDiffers, "dead letter"),
        ("update dead_letters set fault_class = 'transient' where job_id is not null", Gap.RowDiffers, "dead letter"),
        ("update dead_letters set body = (select body_x from other) where job_id is null", Gap.RowDiffers, "dead letter"),
        ("update dead_letters set body_sha256 = 'cd' where job_id is null", Gap.RowDiffers, "dead letter"),
        (
            "update dead_letters set job_id = (select job_id from jobs where state = 'succeeded') where job_id is null",
            Gap.RowWithoutEntry,
            "no entry records it"
        ),
        ("delete from denials", Gap.RowMissing, "denials"),
        ("update denials set job_hash = 'x'", Gap.RowDiffers, "denials.job_hash"),
        ("update denials set policy_hash = 'x'", Gap.RowDiffers, "denials.policy_hash"),
        ("update denials set principal = 'x'", Gap.RowDiffers, "denials.principal"),
        ("update denials set payload = (select body_x from other)", Gap.RowDiffers, "denials.payload"),
        ("update active_bundle set serial = serial + 1", Gap.RowDiffers, "active_bundle"),
        ("update active_bundle set hash = 'policy-1'", Gap.RowDiffers, "active_bundle"),
        ("delete from active_bundle", Gap.RowDiffers, "active_bundle is empty"),
        (
            "insert into bundles (hash, archive, first_activated_at) select 'forged', archive, 1 from bundles where hash = 'policy-1'",
            Gap.RowWithoutEntry,
            "bundle forged"
        ),
    ];

    /// <summary>One test for all changes, because each test makes a database.</summary>
    [Fact]
    public async Task Audit_reports_each_change_and_nothing_else()
    {
        await using var jobs = await AnEvidencedJob.OnAsync(Database);
        await jobs.EndedAsync();
        await jobs.EndedAsync(
            new Fault
            {
                Class = "terminal",
                Type = "E",
                Message = "it \0 \"broke\" \ud800",
                Code = "x",
                RetryAfterMs = 1,
            }
        );
        await jobs.DispatchAsync((await jobs.ApprovedAsync()).JobId);
        await jobs.ApprovedAsync();
        await jobs.HeldAsync();
        await jobs.DeniedAsync();
        await Store.RefuseAsync([ARefusal.Of([])], Stop);
        await Database.ExecuteAsync("create table other as select body as body_x from dead_letters where body is not null");
        await Database.ExecuteAsync(Kind == StoreKind.Postgres ? "update other set body_x = '\\x00'" : "update other set body_x = x'00'");
        await Database.ExecuteAsync(string.Join(' ', Tables.Select(table => $"create table kept_{table} as select * from {table};")));
        var untouched = await jobs.AuditAsync();
        Assert.True(untouched.Ok, string.Join("\n", untouched.IncompleteJobs));

        foreach (var (sql, kind, names) in Attacks)
        {
            await Database.ExecuteAsync(sql);
            var found = (await jobs.AuditAsync()).IncompleteJobs;
            Assert.True(
                found.Count > 0 && found.Any(gap => gap.Kind == kind && gap.Message.Contains(names, StringComparison.Ordinal)),
                $"{sql}:\n{string.Join("\n", found)}"
            );
            await Database.ExecuteAsync(
                string.Join(' ', Tables.Reverse().Select(table => $"delete from {table};"))
                    + string.Join(' ', Tables.Select(table => $"insert into {table} select * from kept_{table};"))
            );
        }

        Assert.True((await jobs.AuditAsync()).Ok);
    }

    [Fact]
    public async Task Finding_states_job_number_seen_and_expected_value()
    {
        await using var jobs = await AnEvidencedJob.OnAsync(Database);
        var job = await jobs.EndedAsync();
        await jobs.AuditAsync();
        await Database.ExecuteAsync("update jobs set state = 'cancelled'");

        var gap = Assert.Single(
            (await jobs.AuditAsync()).IncompleteJobs,
            gap => gap.Message.Contains("jobs.state", StringComparison.Ordinal)
        );

        var seq = (long)(await Database.QueryAsync("select max(seq) from timeline_seals"))[0][0]!;
        Assert.Equal((job.JobId, seq, "cancelled", "succeeded"), (gap.JobId, gap.Seq, gap.Seen, gap.Expected));
        Assert.Contains("row_differs", JsonSerializer.Serialize(gap), StringComparison.Ordinal);
    }

    /// <summary>Committed entries count before they are sealed.</summary>
    [Fact]
    public async Task Row_that_is_ahead_of_the_seals_is_not_a_finding()
    {
        await using var jobs = await AnEvidencedJob.OnAsync(Database);
        await jobs.EndedAsync();
        await using var history = await StoreHistory.OpenAsync(Database.Contexts, Stop);

        var report = await new HistoryCheck(TrustedCheckpoints.Read([], [])).RunAsync(history, Stop);

        Assert.True(report.Ok && report.Unsealed > 0, string.Join("\n", report.IncompleteJobs));
    }
}

public sealed class PostgresRowTamperingTests() : RowTamperingTests(StoreKind.Postgres);

public sealed class SqliteRowTamperingTests() : RowTamperingTests(StoreKind.Sqlite);
