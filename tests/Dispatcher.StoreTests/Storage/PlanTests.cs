using Dispatcher.Contracts;
using Dispatcher.Jobs;

namespace Dispatcher.StoreTests.Storage;

/// <summary>
/// A session of PostgreSQL keeps the plans of accepts and moves until a table is analyzed. A plan that a small table made cheap, and that
/// reads all of it, would become slower with each job.
/// </summary>
public sealed class PlanTests() : StoreTest(StoreKind.Postgres)
{
    private const int Rounds = 8;
    private const int Batch = 20;

    [Fact]
    public async Task Accepts_and_moves_on_a_new_store_read_only_the_rows_that_they_need()
    {
        var before = await ScansAsync();
        for (var round = 0; round < Rounds; round++)
        {
            await AcceptDispatchAndClaimAsync();
        }

        Assert.Equal(before, await ScansAsync());

        // A claim reads the dispatch entry of its attempt.
        Assert.InRange(await ReadsAsync("timeline_dispatched"), 0, 2 * Rounds * Batch);
        Assert.Equal(Rounds * Batch, await Database.CountAsync("jobs"));
    }

    private async Task AcceptDispatchAndClaimAsync()
    {
        List<Job> jobs = [.. Enumerable.Range(0, Batch).Select(_ => AJob.New())];
        await Store.AcceptAsync([.. jobs.Select(AnAcceptance.Of), AnAcceptance.Denying(AJob.New())], null, Stop);

        var permits = jobs.ToDictionary(job => job.JobId, _ => new ClaimedPermit(Guid.CreateVersion7(), new string('0', 64)));
        List<Move> dispatches =
        [
            .. jobs.Select(job =>
            {
                var after = job with { State = JobState.Dispatched, Attempt = 1 };
                return new Move(job, after) { Entry = TimelineEntry.Of(TimelineKinds.Dispatched, after, "test", permits[job.JobId]) };
            }),
        ];
        await MovedAsync(dispatches);
        await MovedAsync([
            .. dispatches.Select(dispatch => new Move(dispatch.After, dispatch.After with { State = JobState.Running })
            {
                Claims = permits[dispatch.After.JobId],
            }),
        ]);
    }

    private async Task MovedAsync(List<Move> moves) => Assert.Equal(moves.Count, (await Store.MoveAsync(moves, Stop)).Jobs.Count);

    private async Task<long> ReadsAsync(string index) =>
        (long)(await Database.QueryAsync($"select idx_tup_read from pg_stat_user_indexes where indexrelname = '{index}'"))[0][0]!;

    /// <summary>The scans of whole tables so far. A session reports its own when it ends.</summary>
    private async Task<string> ScansAsync()
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        patience.CancelAfter(TimeSpan.FromSeconds(10));
        Database.CloseSessions();
        const string Others =
            "select count(*) from pg_stat_activity where datname = current_database() and backend_type = 'client backend'";
        while ((long)(await Database.QueryAsync(Others))[0][0]! > 1)
        {
            await Task.Delay(20, patience.Token);
        }

        var scans = await Database.QueryAsync(
            """
            select relname || ' ' || seq_scan from pg_stat_user_tables
            where relname in ('jobs', 'timeline', 'outbox', 'approvals', 'denials', 'dead_letters') order by relname
            """
        );
        return string.Join(", ", scans.Select(row => row[0]));
    }
}
