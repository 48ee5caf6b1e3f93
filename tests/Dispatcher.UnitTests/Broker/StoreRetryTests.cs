using System.Reflection;
using Dispatcher.Base;
using Dispatcher.Broker;
using MassTransit;
using Microsoft.Data.Sqlite;

namespace Dispatcher.UnitTests.Broker;

public sealed class StoreRetryTests
{
    private const int Busy = 5;
    private const int DiskFull = 13;
    private const int Constraint = 19;

    private readonly SkippedTime _time = new();
    private readonly ALog<StoreRetry> _log = new();
    private int _deliveries;

    [Fact]
    public async Task Pause_between_attempts_doubles_from_100_ms_to_five_seconds()
    {
        await SendAsync(() => _deliveries <= 8 ? new SqliteException("busy", Busy) : null);

        Assert.Equal([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000], _time.Pauses.Select(pause => pause.TotalMilliseconds));
    }

    [Fact]
    public async Task Each_pause_is_logged_with_its_endpoint_and_reason()
    {
        await SendAsync(() => _deliveries <= 2 ? new BundleUnavailableException("hash-1") : null);

        Assert.Equal(2, _log.Lines.Count);
        Assert.All(_log.Lines, line => Assert.Equal(EventIds.MessageWaits, line.Id));
        Assert.All(_log.Lines, line => Assert.Contains("loopback://localhost/intake", line.Text, StringComparison.Ordinal));
        Assert.Contains("hash-1", _log.Lines[0].Text, StringComparison.Ordinal);
        Assert.Contains("00:00:00.2", _log.Lines[1].Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Missing_confirm_of_a_delay_queue_is_retried()
    {
        await SendAsync(() => _deliveries <= 2 ? new DelayUnavailableException("intake", "blocked") : null);

        Assert.Equal(3, _deliveries);
    }

    [Fact]
    public async Task Outage_of_the_store_is_retried_without_a_log_line()
    {
        await SendAsync(() => _deliveries == 1 ? new SqliteException("disk full", DiskFull) : null);

        Assert.Equal(2, _deliveries);
        Assert.Empty(_log.Lines);
    }

    [Fact]
    public async Task Fault_of_the_message_is_not_retried()
    {
        await Assert.ThrowsAsync<SqliteException>(() => SendAsync(() => new SqliteException("constraint", Constraint)));
        await Assert.ThrowsAsync<InvalidOperationException>(() => SendAsync(() => new InvalidOperationException("a bug")));

        Assert.Equal(2, _deliveries);
    }

    /// <summary><see cref="LastResort"/> logs every other exception as an error.</summary>
    [Fact]
    public async Task Stop_during_an_attempt_or_a_pause_cancels_the_delivery()
    {
        using var duringAttempt = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            SendAsync(
                () =>
                {
                    duringAttempt.Cancel();
                    return new SqliteException("busy", Busy);
                },
                duringAttempt
            )
        );
        using var duringPause = new CancellationTokenSource();
        var retry = new StoreRetry(new StoppedTime(duringPause), _log);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            retry.Send(Context(duringPause.Token), Pipe.Execute<ConsumeContext>(_ => throw new SqliteException("busy", Busy)))
        );

        Assert.Equal(1, _deliveries);
    }

    private Task SendAsync(Func<Exception?> outcome, CancellationTokenSource? stop = null) =>
        new StoreRetry(_time, _log).Send(
            Context(stop?.Token ?? CancellationToken.None),
            Pipe.Execute<ConsumeContext>(_ =>
            {
                _deliveries++;
                if (outcome() is { } fault)
                {
                    throw fault;
                }
            })
        );

    private static ConsumeContext Context(CancellationToken stop)
    {
        var received = Properties.Of<ReceiveContext>((nameof(ReceiveContext.InputAddress), new Uri("loopback://localhost/intake")));
        return Properties.Of<ConsumeContext>(
            (nameof(ConsumeContext.ReceiveContext), received),
            (nameof(PipeContext.CancellationToken), stop)
        );
    }

    /// <summary>Stops the process when a pause begins; the pause never ends by itself.</summary>
    private sealed class StoppedTime(CancellationTokenSource stop) : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            stop.CancelAfter(TimeSpan.FromMilliseconds(1));
            return System.CreateTimer(callback, state, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }
}

/// <summary>A context of MassTransit that has only the given properties.</summary>
public class Properties : DispatchProxy
{
    private Dictionary<string, object> _values = [];

    internal static T Of<T>(params (string Name, object Value)[] values)
        where T : class
    {
        var context = Create<T, Properties>();
        ((Properties)(object)context)._values = values.ToDictionary(value => "get_" + value.Name, value => value.Value);
        return context;
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => _values[targetMethod!.Name];
}
