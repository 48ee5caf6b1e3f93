using System.Data.Common;
using Dispatcher.Worker.Effects;
using Microsoft.Extensions.Logging.Abstractions;

namespace Dispatcher.UnitTests.Worker.Effects;

/// <summary>
/// The contract of the effect store, the same on SQLite and on PostgreSQL. <c>DISPATCHER_TEST_POSTGRES</c> is the connection string of the
/// latter.
/// </summary>
public abstract class EffectTests : IAsyncLifetime
{
    private PoolEffectStore? _store;

    private protected PoolEffectStore Store => _store ?? throw new InvalidOperationException("Not opened.");

    protected abstract string Address { get; }

    public virtual async ValueTask InitializeAsync()
    {
        _store = PoolEffectStore.Open(Address, TimeProvider.System, NullLogger.Instance);
        await _store.CreateSchemaAsync(Token);
    }

    public virtual ValueTask DisposeAsync()
    {
        _store?.Dispose();
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task An_effect_that_is_done_is_not_run_again_and_gives_its_first_result()
    {
        var job = Guid.CreateVersion7();
        var charges = 0;

        var first = await Attempt(job, 1).OnceAsync("charge-42", (_, _) => Task.FromResult(++charges), Token);
        var second = await Attempt(job, 2).OnceAsync("charge-42", (_, _) => Task.FromResult(++charges), Token);

        Assert.Equal((1, 1, 1), (first, second, charges));
    }

    [Fact]
    public async Task Effects_of_other_keys_and_jobs_are_separate()
    {
        var job = Guid.CreateVersion7();
        var charges = 0;

        await Attempt(job, 1).OnceAsync("a", (_, _) => Task.FromResult(++charges), Token);
        await Attempt(job, 1).OnceAsync("b", (_, _) => Task.FromResult(++charges), Token);
        await Attempt(Guid.CreateVersion7(), 1).OnceAsync("a", (_, _) => Task.FromResult(++charges), Token);

        Assert.Equal(3, charges);
    }

    [Fact]
    public async Task Every_attempt_sends_the_same_effect_key()
    {
        var job = Guid.CreateVersion7();

        var sent = await Attempt(job, 1).OnceAsync("charge-42", (key, _) => Task.FromResult(key), Token);

        Assert.Equal($"{job:D}:charge-42", sent);
    }

    [Fact]
    public async Task An_effect_begun_by_an_earlier_attempt_is_in_doubt()
    {
        var job = Guid.CreateVersion7();
        await BeginAndDieAsync(job);
        var ran = false;

        var exception = await Record.ExceptionAsync(() =>
            Attempt(job, 2).OnceAsync("charge-42", (_, _) => Task.FromResult(ran = true), Token)
        );

        Assert.IsType<EffectInDoubtException>(exception);
        Assert.False(ran);
    }

    [Fact]
    public async Task An_effect_in_doubt_is_repeated_when_the_receiver_honours_the_key()
    {
        var job = Guid.CreateVersion7();
        await BeginAndDieAsync(job);

        Assert.Equal(7, await Attempt(job, 2).OnceAsync("charge-42", (_, _) => Task.FromResult(7), mayRepeat: true, Token));
        Assert.Equal(7, await Attempt(job, 3).OnceAsync("charge-42", (_, _) => Task.FromResult(8), Token));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_effect_in_doubt_is_repeated_when_the_topic_is_idempotent_unless_the_handler_forbids_it(bool handlerForbidsIt)
    {
        var job = Guid.CreateVersion7();
        await BeginAndDieAsync(job);
        var again = new RunEffects(Store, new EffectOwner(job, 2, Guid.CreateVersion7()), idempotent: true, () => true);

        var exception = await Record.ExceptionAsync(() =>
            handlerForbidsIt
                ? again.OnceAsync("charge-42", (_, _) => Task.FromResult(7), mayRepeat: false, Token)
                : again.OnceAsync("charge-42", (_, _) => Task.FromResult(7), Token)
        );

        Assert.Equal(handlerForbidsIt ? typeof(EffectInDoubtException) : null, exception?.GetType());
    }

    [Fact]
    public async Task A_later_attempt_without_effects_fences_earlier_attempts()
    {
        var job = Guid.CreateVersion7();
        await Store.FenceEarlierAttemptsAsync(new EffectOwner(job, 2, Guid.CreateVersion7()), Token);

        await Assert.ThrowsAsync<FencedException>(() => Attempt(job, 1).OnceAsync("charge-42", (_, _) => Task.FromResult(1), Token));
        Assert.Equal(2, await Attempt(job, 2).OnceAsync("charge-42", (_, _) => Task.FromResult(2), Token));
    }

    [Fact]
    public async Task An_effect_that_certainly_did_not_happen_may_be_tried_again()
    {
        var job = Guid.CreateVersion7();
        await Record.ExceptionAsync(() =>
            Attempt(job, 1).OnceAsync<int>("charge-42", (_, _) => throw new EffectNotDoneException(new IOException("refused")), Token)
        );

        Assert.Equal(7, await Attempt(job, 2).OnceAsync("charge-42", (_, _) => Task.FromResult(7), Token));
    }

    [Fact]
    public async Task An_earlier_attempt_is_refused_once_a_later_one_has_used_effects()
    {
        var job = Guid.CreateVersion7();
        await Attempt(job, 2).OnceAsync("other", (_, _) => Task.FromResult(1), Token);
        var ran = false;

        var exception = await Record.ExceptionAsync(() =>
            Attempt(job, 1).OnceAsync("charge-42", (_, _) => Task.FromResult(ran = true), Token)
        );

        Assert.IsType<FencedException>(exception);
        Assert.False(ran);
    }

    [Fact]
    public async Task An_attempt_that_was_fenced_during_its_effect_cannot_store_it_as_done()
    {
        var job = Guid.CreateVersion7();

        var exception = await Record.ExceptionAsync(() =>
            Attempt(job, 1)
                .OnceAsync(
                    "charge-42",
                    (_, _) => Attempt(job, 2).OnceAsync("charge-42", (_, _) => Task.FromResult(2), mayRepeat: true, Token),
                    Token
                )
        );

        Assert.IsType<FencedException>(exception);
        Assert.Equal(2, await Attempt(job, 3).OnceAsync("charge-42", (_, _) => Task.FromResult(3), Token));
    }

    [Fact]
    public async Task A_run_whose_effect_another_run_of_its_attempt_took_over_cannot_store_it_as_done()
    {
        var job = Guid.CreateVersion7();

        var exception = await Record.ExceptionAsync(() =>
            Attempt(job, 1)
                .OnceAsync(
                    "charge-42",
                    (_, _) => Attempt(job, 1).OnceAsync("charge-42", (_, _) => Task.FromResult(2), mayRepeat: true, Token),
                    Token
                )
        );

        Assert.IsType<FencedException>(exception);
        Assert.Equal(2, await Attempt(job, 1).OnceAsync("charge-42", (_, _) => Task.FromResult(3), Token));
    }

    [Fact]
    public async Task An_effect_in_the_store_commits_with_its_row_or_not_at_all()
    {
        var job = Guid.CreateVersion7();
        var table = $"ledger_{job:N}";
        await Attempt(Guid.CreateVersion7(), 1).OnceAsync("make", (c, t, _) => RunAsync(c, t, $"create table {table} (n integer)"), Token);

        await Record.ExceptionAsync(() =>
            Attempt(job, 1)
                .OnceAsync<int>(
                    "book",
                    async (c, t, _) =>
                    {
                        await RunAsync(c, t, $"insert into {table} values (1)");
                        throw new IOException("died before the commit");
                    },
                    Token
                )
        );
        await Attempt(job, 2).OnceAsync("book", (c, t, _) => RunAsync(c, t, $"insert into {table} values (2)"), Token);
        await Attempt(job, 3).OnceAsync("book", (c, t, _) => RunAsync(c, t, $"insert into {table} values (3)"), Token);

        var sum = await Attempt(job, 3)
            .OnceAsync(
                "look",
                async (c, t, _) =>
                {
                    await using var command = c.CreateCommand();
                    (command.Transaction, command.CommandText) = (t, $"select sum(n) from {table}");
                    return Convert.ToInt32(await command.ExecuteScalarAsync(Token), System.Globalization.CultureInfo.InvariantCulture);
                },
                Token
            );
        Assert.Equal(2, sum);
    }

    [Fact]
    public async Task Two_attempts_at_the_same_time_have_one_effect()
    {
        var job = Guid.CreateVersion7();
        var charges = 0;
        async Task TryAsync(int attempt) =>
            await Record.ExceptionAsync(() =>
                Attempt(job, attempt).OnceAsync("charge-42", (_, _) => Task.FromResult(Interlocked.Increment(ref charges)), Token)
            );

        await Task.WhenAll(Enumerable.Range(1, 8).Select(TryAsync));

        Assert.Equal(1, charges);
    }

    [Fact]
    public async Task An_effect_that_was_fenced_after_it_began_stays_in_doubt()
    {
        var job = Guid.CreateVersion7();
        await Record.ExceptionAsync(() => Attempt(job, 1).OnceAsync<int>("charge-42", (_, _) => throw new FencedException(job, 1), Token));

        await Assert.ThrowsAsync<EffectInDoubtException>(() => Attempt(job, 2).OnceAsync("charge-42", (_, _) => Task.FromResult(1), Token));
    }

    [Fact]
    public async Task A_run_that_is_refused_before_its_effect_leaves_no_effect_in_doubt()
    {
        var job = Guid.CreateVersion7();
        var asked = 0;
        var late = new RunEffects(Store, new EffectOwner(job, 1, Guid.CreateVersion7()), false, () => ++asked == 1);

        await Assert.ThrowsAsync<FencedException>(() => late.OnceAsync("charge-42", (_, _) => Task.FromResult(1), Token));

        Assert.Equal(2, await Attempt(job, 2).OnceAsync("charge-42", (_, _) => Task.FromResult(2), Token));
    }

    [Fact]
    public async Task An_unavailable_database_is_retried_also_when_the_exception_is_wrapped()
    {
        var tries = 0;

        var result = await Attempt(Guid.CreateVersion7(), 1)
            .OnceAsync(
                "placed",
                (_, _, _) =>
                    ++tries == 1 ? throw new InvalidOperationException("Saving failed.", new LostException()) : Task.FromResult(tries),
                Token
            );

        Assert.Equal(2, result);
    }

    [Fact]
    public async Task A_run_that_has_ended_is_refused_without_a_query_to_the_store()
    {
        var effects = new RunEffects(Store, new EffectOwner(Guid.CreateVersion7(), 1, Guid.CreateVersion7()), false, () => false);

        await Assert.ThrowsAsync<FencedException>(() => effects.OnceAsync("charge-42", (_, _) => Task.FromResult(1), Token));
    }

    protected static CancellationToken Token => TestContext.Current.CancellationToken;

    private protected RunEffects Attempt(Guid job, int attempt) =>
        new(Store, new EffectOwner(job, attempt, Guid.CreateVersion7()), false, () => true);

    private async Task BeginAndDieAsync(Guid job) =>
        await Record.ExceptionAsync(() =>
            Attempt(job, 1).OnceAsync<int>("charge-42", (_, _) => throw new IOException("connection reset"), Token)
        );

    private static async Task<int> RunAsync(DbConnection connection, DbTransaction transaction, string sql)
    {
        await using var command = connection.CreateCommand();
        command.Transaction = transaction;
#pragma warning disable CA2100 // The table's name is made of a job id.
        command.CommandText = sql;
#pragma warning restore CA2100
        return await command.ExecuteNonQueryAsync(Token);
    }
}
