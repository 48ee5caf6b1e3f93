using Dispatcher.Audit.Retaining;
using Dispatcher.Audit.Sealing;
using Dispatcher.Base;
using Dispatcher.Jobs;
using Dispatcher.StoreTests.Audit.Sealing;
using Npgsql;

namespace Dispatcher.StoreTests.Audit.Retaining;

/// <summary>
/// Days older than a week are dropped, and the history can still be verified. SQLite has no retention.
/// </summary>
public sealed class RetentionTests : RetentionTest
{
    [Fact]
    public async Task Drops_whole_days_and_keeps_a_job_that_ended_later_whole()
    {
        var ended = await EndedAsync(20);
        var denied = AJob.New();
        await Store.AcceptAsync([AnAcceptance.Denying(denied)], null, Stop);
        await History.AgeAsync(denied.JobId, 19);
        var longer = await StoredAsync(AJob.New());
        await History.AgeAsync(longer.JobId, 19);
        await History.Sealer.RunAsync();
        var young = await EndedAsync(3);
        await MovedAsync(JobEnds.Expired(longer));
        await History.Sealer.RunAsync();
        await History.AssertIntactAsync();
        var before = await CountsAsync();

        var planned = await History.RetainAsync(dryRun: true);

        Assert.Equal(before, await CountsAsync());
        var report = await History.RetainAsync();

        Assert.Equal((planned.From, planned.Before, planned.Seq, planned.Head), (report.From, report.Before, report.Seq, report.Head));
        Assert.Equal((3, 2, 3, 5L), (report.Entries, report.Kept, report.Deleted, report.Seq));
        Assert.Equal(Day(20), report.From);
        Assert.Equal(Day(7), report.Before);
        Assert.Equal([longer.JobId, young.JobId], (await JobsAsync()).Select(job => job.JobId).Order());
        Assert.Empty(await DenialsAsync());
        Assert.Empty(await TimelineAsync(ended.JobId));
        Assert.Equal(2, (await TimelineAsync(longer.JobId)).Count);
        await History.AssertIntactAsync();

        // All that is left is younger, kept, or the entry of the drop.
        Assert.Equal((null, 0), ((await History.RetainAsync()).From, (await History.RetainAsync()).Deleted));
    }

    [Fact]
    public async Task Day_in_which_an_open_job_began_ends_the_dropped_days()
    {
        await EndedAsync(21);
        var open = await StoredAsync(AJob.New());
        await History.AgeAsync(open.JobId, 20);
        var sameDay = await EndedAsync(20);
        var later = await EndedAsync(19);
        await History.Sealer.RunAsync();

        var report = await History.RetainAsync();

        Assert.Equal((Day(21), Day(20), 2L), (report.From, report.Before, report.Deleted));
        Assert.Equal(new[] { open.JobId, sameDay.JobId, later.JobId }.Order(), (await JobsAsync()).Select(job => job.JobId).Order());
        await History.AssertIntactAsync();
    }

    [Fact]
    public async Task Second_retention_drops_further_days_and_what_the_first_one_kept()
    {
        await EndedAsync(30);
        var longer = await StoredAsync(AJob.New());
        await History.AgeAsync(longer.JobId, 30);
        await EndedAsync(25);
        await History.Sealer.RunAsync();
        await MovedAsync(JobEnds.Expired(longer));
        await History.AgeAsync(longer.JobId, 12);
        await EndedAsync(11);
        await History.Sealer.RunAsync();
        var first = await History.RetainAsync(days: 20);
        Assert.Equal((4, 2, 4), (first.Entries, first.Kept, first.Deleted));
        await History.AssertIntactAsync();

        var second = await History.RetainAsync();

        Assert.Equal((4, 1, 4), (second.Entries, second.Kept, second.Deleted));
        Assert.Empty(await JobsAsync());
        await History.AssertIntactAsync();
    }

    [Fact]
    public async Task Sealing_and_signing_continue_in_the_same_and_in_a_new_process()
    {
        await EndedAsync(20);
        await History.Sealer.RunAsync();

        // Everything is dropped, also the seal that was signed last.
        await History.RetainAsync();
        var last = Assert.Single(await Database.QueryAsync("select max(seq) from timeline_seals"))[0];
        await EndedAsync(0);
        await History.Sealer.RunAsync();
        await History.AssertIntactAsync();
        Assert.Null(History.Sealer.Checkpoints.Trouble);
        Assert.Equal((long)last! + 2, History.Sealer.Checkpoints.Last!.Size);

        using var other = await ASealer.OnAsync(Database, History.Sealer.Folder);
        await EndedAsync(0);
        await other.RunAsync();
        Assert.Null(other.Checkpoints.Trouble);
        Assert.Equal((long)last + 4, other.Checkpoints.Last!.Size);
        await History.AssertIntactAsync();
    }

    [Fact]
    public async Task Server_that_last_signed_a_dropped_seal_signs_again_after_its_start()
    {
        await EndedAsync(20);
        await History.Sealer.RunAsync();
        await EndedAsync(19);
        await History.Sealer.Sealer.SealAsync(Stop);

        await History.RetainAsync();

        using var restarted = await ASealer.OnAsync(Database, History.Sealer.Folder);
        await restarted.RunAsync();
        Assert.Null(restarted.Checkpoints.Trouble);
        await History.AssertIntactAsync();
    }

    [Fact]
    public async Task Server_with_its_own_key_signs_only_after_a_retention_that_it_can_trust()
    {
        await EndedAsync(20);
        await History.Sealer.RunAsync();
        using var other = await ASealer.OnAsync(Database);
        await other.RunAsync();
        var unknown = await Assert.ThrowsAsync<ExitException>(() => History.RetainAsync());
        Assert.Contains("public key was not given", unknown.Message, StringComparison.Ordinal);
        await History.RetainAsync(key: AuditFolder.PublicKeyIn(other.Folder));
        await EndedAsync(0);

        // It has signed before, and another key signed the drop.
        await other.RunAsync();
        Assert.Contains("was cut or changed", other.Checkpoints.Trouble, StringComparison.Ordinal);

        using var fresh = await ASealer.OnAsync(Database);
        await fresh.RunAsync();
        Assert.Null(fresh.Checkpoints.Trouble);
        Directory.Delete(other.Folder, recursive: true);
        Directory.Delete(fresh.Folder, recursive: true);
    }

    [Fact]
    public async Task Entry_of_a_dropped_job_is_not_linked_to_a_dropped_seal()
    {
        var dropped = await EndedAsync(20);
        await History.Sealer.RunAsync();
        await History.RetainAsync();

        await Store.RecordAsync([JobEnds.Expired(dropped).Entry! with { Kind = TimelineKinds.LateOutcome }], [], Stop);
        await History.Sealer.RunAsync();

        Assert.All(await History.CheckAsync(), report => Assert.Null(report.Finding));
    }

    [Fact]
    public async Task Retention_that_ended_before_its_statement_was_sealed_is_continued()
    {
        await EndedAsync(20);
        await History.Sealer.RunAsync();
        await using (var sealing = NpgsqlDataSource.Create(Database.PostgresConnectionString))
        await using (var connection = await sealing.OpenConnectionAsync(Stop))
        await using (await connection.BeginTransactionAsync(Stop))
        {
            await using var hold = new NpgsqlCommand("select pg_advisory_xact_lock(4711003)", connection);
            await hold.ExecuteNonQueryAsync(Stop);
            await Assert.ThrowsAsync<OperationCanceledException>(() => History.RetainAsync(time: new EndsAtWait()));
        }

        Assert.Single(await JobsAsync());
        await History.AssertIntactAsync();
        Assert.Equal((null, 2L), (await History.RetainAsync()) is var again ? (again.From, again.Deleted) : default);
        Assert.Empty(await JobsAsync());
        await History.AssertIntactAsync();
    }

    [Fact]
    public async Task Retention_that_ended_within_its_deletions_is_continued()
    {
        await EndedAsync(20);
        await EndedAsync(19);
        await EndedAsync(18);
        await History.Sealer.RunAsync();

        await Assert.ThrowsAsync<OperationCanceledException>(() => History.RetainAsync(time: new EndsAtWait()));

        Assert.Equal(2, (await JobsAsync()).Count);
        var reports = await History.CheckAsync();
        Assert.All(reports, report => Assert.True(report.Ok, report.Finding?.Message ?? string.Join("; ", report.IncompleteJobs)));
        Assert.All(reports, report => Assert.Contains(report.Notes, note => note.StartsWith("4 entries", StringComparison.Ordinal)));
        Assert.Equal(4, (await History.RetainAsync()).Deleted);
        Assert.Empty(await JobsAsync());
        await History.AssertIntactAsync();
    }

    [Fact]
    public async Task Job_that_goes_on_after_the_statement_stays_whole()
    {
        await EndedAsync(20);
        var second = await EndedAsync(19);
        await History.Sealer.RunAsync();
        await Assert.ThrowsAsync<OperationCanceledException>(() => History.RetainAsync(time: new EndsAtWait()));
        await Store.RecordAsync([JobEnds.Expired(second).Entry! with { Kind = TimelineKinds.LateOutcome }], [], Stop);

        await History.RetainAsync();

        Assert.Equal(3, (await TimelineAsync(second.JobId)).Count);
        Assert.Equal(second.JobId, Assert.Single(await JobsAsync()).JobId);
        await History.Sealer.RunAsync();
        await History.AssertIntactAsync();
    }

    [Fact]
    public async Task One_retention_runs_at_a_time()
    {
        await using var source = NpgsqlDataSource.Create(Database.PostgresConnectionString);
        await using var first = await new DroppedRows(source, page: 2).TryLockAsync(Stop);
        Assert.NotNull(first);

        var refused = await Assert.ThrowsAsync<ExitException>(() => History.RetainAsync());

        Assert.Equal((ExitCode.No, true), (refused.Code, refused.Message.Contains("Another retain", StringComparison.Ordinal)));
    }
}
