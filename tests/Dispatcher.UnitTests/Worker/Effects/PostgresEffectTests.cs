using System.Collections.Concurrent;
using System.Data.Common;
using System.Diagnostics;
using Dispatcher.Worker.Effects;
using Npgsql;

namespace Dispatcher.UnitTests.Worker.Effects;

public sealed class PostgresEffectTests : EffectTests
{
    private static readonly string? Configured = Environment.GetEnvironmentVariable("DISPATCHER_TEST_POSTGRES");

    private readonly string _schema = $"effects_{Guid.CreateVersion7():N}";

    protected override string Address => $"{Configured};Search Path={_schema}";

    public override async ValueTask InitializeAsync()
    {
        Assert.SkipWhen(Configured is null, "Set DISPATCHER_TEST_POSTGRES to a connection string to run this on PostgreSQL.");
        await RunAsync($"create schema {_schema}");
        await base.InitializeAsync();
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        if (Configured is not null)
        {
            await RunAsync($"drop schema {_schema} cascade");
        }
    }

    [Fact]
    public async Task Open_transaction_of_a_dead_host_blocks_later_attempts_at_most_for_the_limit_of_its_run()
    {
        var job = Guid.CreateVersion7();
        var holding = new TaskCompletionSource();
        var dead = new TaskCompletionSource();
        var owner = new EffectOwner(job, 1, Guid.CreateVersion7()) { RunLimit = TimeSpan.FromSeconds(1) };
        var left = Store.InTransactionAsync(
            owner,
            "placed",
            async (_, _, _) =>
            {
                holding.SetResult();
                await dead.Task;
                return 1;
            },
            Token
        );
        await holding.Task;

        await Store
            .FenceEarlierAttemptsAsync(new EffectOwner(job, 2, Guid.CreateVersion7()), Token)
            .WaitAsync(TimeSpan.FromSeconds(30), Token);

        dead.SetResult();
        await Assert.ThrowsAnyAsync<Exception>(() => left);
    }

    [Fact]
    public async Task Attempt_that_waits_for_the_effect_of_another_gets_its_result()
    {
        var job = Guid.CreateVersion7();
        var (holding, finish) = (new TaskCompletionSource(), new TaskCompletionSource());
        var first = Attempt(job, 1)
            .OnceAsync(
                "placed",
                async (_, _, _) =>
                {
                    holding.SetResult();
                    await finish.Task;
                    return 1;
                },
                Token
            );
        await holding.Task;

        var second = Attempt(job, 2).OnceAsync("placed", (_, _, _) => Task.FromResult(2), Token);
        await UntilOneWaitsForAFenceAsync();
        finish.SetResult();

        Assert.Equal((1, 1), (await first, await second));
    }

    [Fact]
    public async Task Effect_costs_two_round_trips_beside_its_own_statements()
    {
        var run = Attempt(Guid.CreateVersion7(), 1);
        await run.OnceAsync("first", CountAsync, Token);
        ConcurrentQueue<string> sent = new();
        using var root = new Activity("test").Start();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "Npgsql",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = activity =>
            {
                if (activity.TraceId == root.TraceId && activity.GetTagItem("db.query.text") is string sql)
                {
                    sent.Enqueue(sql);
                }
            },
        };
        ActivitySource.AddActivityListener(listener);

        await run.OnceAsync("second", CountAsync, Token);

        Assert.Collection(
            sent,
            sql =>
            {
                Assert.Contains("set_config", sql, StringComparison.Ordinal);
                Assert.Contains("insert into dispatcher_effect_fences", sql, StringComparison.Ordinal);
                Assert.Contains("from dispatcher_effects", sql, StringComparison.Ordinal);
            },
            sql => Assert.Equal("select 1", sql),
            sql =>
            {
                Assert.Contains("insert into dispatcher_effects ", sql, StringComparison.Ordinal);
                Assert.Contains("commit", sql, StringComparison.Ordinal);
            }
        );
    }

    private static async Task UntilOneWaitsForAFenceAsync()
    {
        await using var source = NpgsqlDataSource.Create(Configured!);
        await using var waiting = source.CreateCommand(
            """
            select count(*) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock' and query like '%dispatcher_effect_fences as f%'
            """
        );
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Token);
        patience.CancelAfter(TimeSpan.FromSeconds(10));
        while (await waiting.ExecuteScalarAsync(patience.Token) is 0L)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(10), patience.Token);
        }
    }

    private static async Task<int> CountAsync(DbConnection connection, DbTransaction transaction, CancellationToken cancellationToken)
    {
        await using var command = connection.CreateCommand();
        (command.Transaction, command.CommandText) = (transaction, "select 1");
        return await command.ExecuteScalarAsync(cancellationToken) is int one ? one : 0;
    }

    private static async Task RunAsync(string sql)
    {
        await using var source = NpgsqlDataSource.Create(Configured!);
#pragma warning disable CA2100 // The schema's name is made here.
        await using var command = source.CreateCommand(sql);
#pragma warning restore CA2100
        await command.ExecuteNonQueryAsync(CancellationToken.None);
    }
}
