using System.Collections.Concurrent;
using Dispatcher.Contracts;
using Dispatcher.Worker;
using Dispatcher.Worker.Claiming;

namespace Dispatcher.UnitTests.Worker.Claiming;

/// <summary>Attempts that are claimed before a slot is free. Fifty short runs at one moment allow ten of them.</summary>
public sealed class RunSlotsTests : IAsyncDisposable
{
    private const int Ahead = 10;
    private const int Short = 1;
    private const int Long = 2;

    private readonly InMemoryTransport _transport = new();
    private readonly SteppedClock _clock = new();
    private readonly ConcurrentQueue<JobRun> _started = new();
    private readonly TaskCompletionSource _gate = new();
    private int _shortOnes;

    public ValueTask DisposeAsync() => _transport.DisposeAsync();

    [Fact]
    public async Task Idempotent_attempts_are_claimed_ahead_of_free_slots_and_get_heartbeats()
    {
        await using var worker = await ServeAsync(concurrency: 2);
        await RunShortOnesAsync();

        Deliver(100, message => message with { HeartbeatMs = 500 });

        await ClaimedAsync(2 + Ahead);
        await HeartbeatAsync(runs: 2 + Ahead);
        Assert.Equal(2 + Ahead, Claimed);
        Assert.Equal(2, _started.Count);
        _gate.SetResult();
        await EndedAsync(2 + Ahead);
    }

    [Fact]
    public async Task Nothing_is_claimed_ahead_until_a_rate_is_known()
    {
        await using var worker = await ServeAsync(concurrency: 2);

        Deliver(10);
        await FullAsync(returned: 8);

        Assert.Equal(2, Claimed);
        _gate.SetResult();
    }

    [Fact]
    public async Task Attempts_that_must_not_be_repeated_are_never_claimed_ahead()
    {
        await using var worker = await ServeAsync(concurrency: 2);
        await RunShortOnesAsync();

        Deliver(10, message => message with { Idempotent = false });
        await FullAsync(returned: 8);

        Assert.Equal(2, Claimed);
        _gate.SetResult();
    }

    [Fact]
    public async Task Attempt_that_must_not_be_repeated_waits_for_those_claimed_ahead_of_it_and_starts_at_once()
    {
        await using var worker = await ServeAsync(concurrency: 1);
        await RunShortOnesAsync();

        Deliver(5);
        await ClaimedAsync(5);
        Deliver(1, message => message with { Idempotent = false });
        Deliver(3);
        await _transport.Until(() => _transport.Taken == 50 + 9);
        Assert.Equal(5, Claimed);
        _gate.SetResult();

        await EndedAsync(9);
        Assert.False(_started.ElementAt(5).Idempotent);
    }

    [Fact]
    public async Task Attempts_claimed_ahead_start_in_order()
    {
        await using var worker = await ServeAsync(concurrency: 1);
        await RunShortOnesAsync();

        var jobs = Deliver(100);
        await ClaimedAsync(1 + Ahead);
        _gate.SetResult();

        await EndedAsync(100);
        Assert.Equal(jobs, _started.Select(run => run.JobId));
    }

    [Fact]
    public async Task At_most_256_attempts_are_claimed_ahead()
    {
        await using var worker = await ServeAsync(concurrency: 2);
        await RunShortOnesAsync(5 * ClaimAhead.Max + 100);

        Deliver(600);

        await ClaimedAsync(2 + ClaimAhead.Max);
        await FullAsync(returned: 600 - 2 - ClaimAhead.Max);
        Assert.Equal(2 + ClaimAhead.Max, Claimed);
        _gate.SetResult();
    }

    [Fact]
    public async Task Stop_returns_attempts_claimed_ahead_and_lets_running_handlers_end()
    {
        await using var worker = await ServeAsync(concurrency: 2);
        await RunShortOnesAsync();
        Deliver(2 + Ahead);
        await ClaimedAsync(2 + Ahead);
        await _transport.Until(() => _started.Count == 2);

        var stopping = worker.StopAsync();
        await _transport.Until(() => Ended(OutcomeKind.Returned) == Ahead);
        _gate.SetResult();
        await stopping;

        Assert.Equal((2, 2), (_started.Count, Ended(OutcomeKind.Succeeded)));
    }

    [Fact]
    public async Task Attempt_that_is_fenced_before_a_slot_is_free_never_starts_and_reports_no_outcome()
    {
        await using var worker = await ServeAsync(concurrency: 2);
        await RunShortOnesAsync();
        _transport.AnswerHeartbeat = request => new HeartbeatAnswer
        {
            Cancelled = [],
            Fenced =
                request.Runs.Count == 2 + Ahead ? [.. request.Runs.Select(run => run.RunId).Except(_started.Select(run => run.RunId))] : [],
        };
        Deliver(2 + Ahead, message => message with { HeartbeatMs = 500 });
        await ClaimedAsync(2 + Ahead);
        await _transport.Until(() => _started.Count == 2);

        await HeartbeatAsync(runs: 2 + Ahead);
        await _transport.UntilTimePasses(_clock, TimeSpan.FromMilliseconds(250), () => LastHeartbeat == "heartbeat 2");
        _gate.SetResult();
        // It needs a free slot: the places of the fenced ones are free again.
        Deliver(1, message => message with { Idempotent = false });

        await EndedAsync(3);
        Assert.Equal((3, 3), (_started.Count, Ended(OutcomeKind.Succeeded)));
    }

    [Fact]
    public async Task Attempt_whose_time_is_over_before_a_slot_is_free_is_reported_as_a_timeout()
    {
        await using var worker = await ServeAsync(concurrency: 2);
        await RunShortOnesAsync();
        Deliver(2 + Ahead, message => message with { RunUntilMs = 2000 });
        await ClaimedAsync(2 + Ahead);
        await _transport.Until(() => _started.Count == 2);

        await _clock.PassAsync(TimeSpan.FromSeconds(2));

        await EndedAsync(2 + Ahead);
        Assert.All(_transport.Outcomes.Skip(50), outcome => Assert.Equal("timeout", outcome.Fault?.Code));
        Assert.Equal(2, _started.Count);
        _gate.SetResult();
    }

    [Fact]
    public async Task Attempts_claimed_ahead_are_returned_when_all_runs_have_become_long()
    {
        await using var worker = await ServeAsync(concurrency: 2);
        await RunShortOnesAsync();
        Deliver(2 + Ahead, message => message with { HeartbeatMs = 50_000 });
        await ClaimedAsync(2 + Ahead);

        await _transport.UntilTimePasses(_clock, TimeSpan.FromSeconds(1), () => Ended(OutcomeKind.Returned) == Ahead);

        Assert.Equal(2, _started.Count);
        _gate.SetResult();
    }

    private int Claimed => _transport.Claims.Sum(claim => claim.Permits.Count) - _shortOnes;

    private string? LastHeartbeat => _transport.Seen.LastOrDefault(seen => seen.StartsWith("heartbeat", StringComparison.Ordinal));

    private Task<AWorker> ServeAsync(int concurrency) =>
        AWorker.That(
            async (run, token) =>
            {
                if (run.Attempt == Long)
                {
                    _started.Enqueue(run);
                    await _transport.Note("started");
                    await _gate.Task.WaitAsync(token);
                }

                return JobResult.Nothing;
            },
            options => options.Concurrency = concurrency,
            _transport,
            _clock
        );

    private async Task RunShortOnesAsync(int count = 5 * Ahead)
    {
        _shortOnes = count;
        for (var i = 0; i < count; i++)
        {
            _transport.Deliver(new AWork().With(message => message with { Attempt = Short }));
        }

        await _transport.Until(() => _transport.Outcomes.Count == count);
    }

    private List<Guid> Deliver(int count, Func<WorkMessage, WorkMessage>? change = null)
    {
        List<Guid> jobs = [];
        for (var i = 0; i < count; i++)
        {
            var work = new AWork().With(message => message with { Attempt = Long, Idempotent = true }).With(change ?? (same => same));
            jobs.Add(work.Message.JobId);
            _transport.Deliver(work);
        }

        return jobs;
    }

    private Task ClaimedAsync(int count) => _transport.Until(() => Claimed >= count);

    private Task HeartbeatAsync(int runs) =>
        _transport.UntilTimePasses(_clock, TimeSpan.FromMilliseconds(250), () => _transport.Seen.Contains($"heartbeat {runs}"));

    private Task EndedAsync(int count) => _transport.Until(() => _transport.Outcomes.Count >= _shortOnes + count);

    private int Ended(OutcomeKind kind) => _transport.Outcomes.Skip(_shortOnes).Count(outcome => outcome.Kind == kind);

    /// <summary>Waits until the worker has found no place for a second, and returned the deliveries.</summary>
    private Task FullAsync(int returned) =>
        _transport.UntilTimePasses(_clock, TimeSpan.FromSeconds(0.5), () => _transport.Seen.Count(seen => seen == "return") >= returned);
}
