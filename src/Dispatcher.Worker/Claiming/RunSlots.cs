using Dispatcher.Contracts;
using Dispatcher.Worker.Outcomes;
using Dispatcher.Worker.Pools;
using Dispatcher.Worker.Running;

namespace Dispatcher.Worker.Claiming;

/// <summary>
/// The slots of a pool. Each claim takes a place first: a free slot or, where that is allowed, one ahead (<see cref="ClaimAhead"/>).
/// Granted runs start in the order of their claims. So a run that has taken a free slot finds it free, and one ahead starts when an
/// earlier run has ended.
/// </summary>
internal sealed class RunSlots(PoolParts parts, JobRunner runner, ClaimedRuns runs, OutcomeSender outcomes) : IDisposable
{
    /// <summary>
    /// How long a claimed attempt waits for a slot before it is returned. The dispatcher dispatches a returned attempt again after the
    /// pause of a first retry, usually 5 s, so an earlier return would gain no time.
    /// </summary>
    private static readonly TimeSpan AheadAtMost = TimeSpan.FromSeconds(5);

    private readonly ClaimAhead _ahead = new(parts.Options.Concurrency, parts.Clock);

    // Those that wait for it enter in order.
    private readonly SemaphoreSlim _slots = new(parts.Options.Concurrency);
    private readonly SemaphoreSlim _freed = new(0);

    /// <summary>Claims under way, and granted runs until they have ended. Only the claim loop adds to it.</summary>
    private int _taken;

    /// <summary>How many attempts may be claimed when all slots are taken, if they are like this message. Null: none.</summary>
    public int AheadOf(WorkMessage? message) => message is not null && ClaimAhead.Allows(message) ? _ahead.Limit : 0;

    public int Free => parts.Options.Concurrency - Volatile.Read(ref _taken);

    /// <summary>True: the message has a place for its claim, which the caller must fill or give back.</summary>
    public bool TryTake(WorkMessage message)
    {
        var has = HasPlace(message);
        Interlocked.Add(ref _taken, has ? 1 : 0);
        return has;
    }

    /// <summary>Waits until the message can take a place. False: the time is over.</summary>
    /// <param name="message">The next message. Null: any message, which needs a free slot.</param>
    /// <param name="atMost">May be <see cref="Timeout.InfiniteTimeSpan"/>.</param>
    /// <param name="stopping">Ends the wait with an <see cref="OperationCanceledException"/>.</param>
    public async Task<bool> WaitAsync(WorkMessage? message, TimeSpan atMost, CancellationToken stopping)
    {
        stopping.ThrowIfCancellationRequested();
        if (HasPlace(message))
        {
            return true;
        }

        using var time = new CancellationTokenSource(atMost, parts.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(time.Token, stopping);
        try
        {
            while (!HasPlace(message))
            {
                await _freed.WaitAsync(either.Token);
            }

            return true;
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <summary>The claim was refused.</summary>
    public void GiveBack()
    {
        Interlocked.Decrement(ref _taken);
        // At most one release waits to be taken: the waiter looks at all that was freed before.
        if (_freed.CurrentCount == 0)
        {
            _freed.Release();
        }
    }

    /// <summary>Runs a granted run when a slot is free. Returns at once: <see cref="ClaimedRuns"/> is notified of its end.</summary>
    /// <param name="run">Its claim has taken a place.</param>
    /// <param name="stopping">A run that has not begun is returned.</param>
    public void Start(ClaimedRun run, CancellationToken stopping)
    {
        runs.Add(run);
        _ = RunToEndAsync(run, stopping);
    }

    public void Dispose()
    {
        _slots.Dispose();
        _freed.Dispose();
    }

    private bool HasPlace(WorkMessage? message) => Free > -AheadOf(message);

    private async Task RunToEndAsync(ClaimedRun run, CancellationToken stopping)
    {
        var hasSlot = await TakeSlotAsync(run, stopping);
        AttemptOutcome? outcome;
        try
        {
            // Checked when its turn comes: a run may be fenced or cancelled, or its time may end, while it waits.
            outcome = hasSlot && run.MayStart ? await RunAsync(run) : runner.NotStarted(run);
        }
#pragma warning disable CA1031 // No caller awaits this. After any exception the slot must be freed and the heartbeats must end.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            outcome = runner.Unreportable(run, exception);
        }

        End(run, outcome);
        // The slot before the place: a claim that takes the place relies on the slot.
        if (hasSlot)
        {
            _slots.Release();
        }

        GiveBack();
    }

    // False: the run was stopped, it has waited too long, or the worker stops.
    private async Task<bool> TakeSlotAsync(ClaimedRun run, CancellationToken stopping)
    {
        if (stopping.IsCancellationRequested)
        {
            return false;
        }

        if (_slots.Wait(0, CancellationToken.None))
        {
            return true;
        }

        using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var slot = _slots.WaitAsync(AheadAtMost, parts.Clock, giveUp.Token);
        await Task.WhenAny(slot, run.Stopped);
        await giveUp.CancelAsync();
        try
        {
            return await slot;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private async Task<AttemptOutcome?> RunAsync(ClaimedRun run)
    {
        var startedAt = parts.Clock.GetTimestamp();
        try
        {
            return await runner.RunAsync(run);
        }
        finally
        {
            _ahead.RunEnded(parts.Clock.GetElapsedTime(startedAt));
        }
    }

    private void End(ClaimedRun run, AttemptOutcome? outcome)
    {
        if (outcome is null)
        {
            runs.Remove(run);
        }
        else
        {
            // Before the run counts as ended: the stop waits for that and takes no outcome afterwards.
            // Heartbeats continue until the dispatcher has the outcome: while the broker is unavailable, the lease of done work must not
            // expire.
            outcomes.Add(outcome, () => runs.Remove(run));
        }

        runs.HasEnded(run);
    }
}
