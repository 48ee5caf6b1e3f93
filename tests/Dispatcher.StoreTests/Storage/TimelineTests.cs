using System.Data.Common;
using Dispatcher.Jobs;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.StoreTests.Storage;

/// <summary>The timeline is append-only, also for the owner of the tables, which these tests use.</summary>
public abstract class TimelineTests(StoreKind kind) : StoreTest(kind)
{
    [Theory]
    [InlineData("update timeline set actor = 'nobody'")]
    [InlineData("update timeline set at = at + 1 where kind = 'accepted'")]
    [InlineData("delete from timeline")]
    [InlineData("delete from timeline where kind = 'accepted'")]
    public async Task Refuses_a_change(string statement)
    {
        await AssertRefusedAsync(statement);
    }

    [Fact]
    public async Task Refuses_a_change_through_the_model()
    {
        var job = await StoredAsync(AJob.New());

        await Assert.ThrowsAnyAsync<DbException>(() =>
            ReadAsync(db => db.Timeline.Where(entry => entry.JobId == job.JobId).ExecuteDeleteAsync(Stop))
        );
        Assert.Single(await TimelineAsync(job.JobId));
    }

    [Fact]
    public async Task Entries_of_a_job_are_numbered_in_commit_order()
    {
        var running = await RunningAsync();
        var line = AnAcceptance.Of(running).Entry;
        await Store.RecordAsync([line with { Kind = TimelineKinds.Claimed }], [], Stop);
        await Store.RecordAsync([line with { Kind = TimelineKinds.Returned }], [], Stop);

        var entries = await TimelineAsync(running.JobId);

        Assert.Equal([TimelineKinds.Accepted, TimelineKinds.Claimed, TimelineKinds.Returned], entries.Select(entry => entry.Kind));
        Assert.Equal(entries.Select(entry => entry.At).Order(), entries.Select(entry => entry.At));
    }

    private protected async Task AssertRefusedAsync(string statement)
    {
        await StoredAsync(AJob.New());
        var before = await LinesAsync();

        var refused = await Assert.ThrowsAnyAsync<DbException>(() => Database.ExecuteAsync(statement));

        Assert.Contains("append-only", refused.Message, StringComparison.Ordinal);
        Assert.Equal(before, await LinesAsync());
    }

    private async Task<string> LinesAsync() =>
        string.Join(
            '\n',
            (await Database.QueryAsync("select entry_id, job_id, at, kind, attempt, actor from timeline order by entry_id")).Select(row =>
                string.Join(' ', row)
            )
        );
}

public sealed class PostgresTimelineTests() : TimelineTests(StoreKind.Postgres)
{
    [Theory]
    [InlineData("truncate timeline")]
    [InlineData("truncate timeline, outbox cascade")]
    [InlineData(
        "insert into timeline (entry_id, job_id, at, kind, attempt, actor, detail) overriding system value "
            + "select entry_id, job_id, at, kind, attempt, 'nobody', detail from timeline "
            + "on conflict (entry_id) do update set actor = excluded.actor"
    )]
    [InlineData("merge into timeline t using timeline s on t.entry_id = s.entry_id when matched then update set actor = 'nobody'")]
    public Task Refuses_a_change_in_the_ways_of_PostgreSQL(string statement) => AssertRefusedAsync(statement);
}

public sealed class SqliteTimelineTests() : TimelineTests(StoreKind.Sqlite)
{
    /// <summary>SQLite runs no DELETE trigger for a row that REPLACE deletes.</summary>
    [Theory]
    [InlineData(
        "replace into timeline (entry_id, job_id, at, kind, attempt, actor, detail) "
            + "select entry_id, job_id, at, kind, attempt, 'nobody', detail from timeline"
    )]
    [InlineData(
        "insert into timeline (entry_id, job_id, at, kind, attempt, actor, detail) "
            + "select entry_id, job_id, at, kind, attempt, 'nobody', detail from timeline where true "
            + "on conflict do update set actor = excluded.actor"
    )]
    [InlineData("update or replace timeline set actor = 'nobody'")]
    public Task Refuses_a_change_in_the_ways_of_SQLite(string statement) => AssertRefusedAsync(statement);
}
