using Dispatcher.Base;
using Dispatcher.Enforcement;
using Dispatcher.Policies.Files;
using Dispatcher.Storage;
using Dispatcher.UnitTests.Hosting;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Dispatcher.UnitTests.Enforcement;

/// <summary>A policy folder whose file system does not answer.</summary>
public sealed class HangingFolderTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Folder_that_does_not_exist_is_named()
    {
        await using var server = await AServer.MigratedAsync();
        Directory.Delete(server.Policies);
        using var folder = Folder(server, TimeProvider.System, BundleFolder.Read);

        await folder.OnceAsync(Stop);

        var error = Assert.Single(folder.LastReading.Errors);
        Assert.Equal((server.Policies, "The folder does not exist."), (error.Where, error.Message));
    }

    [Fact(Timeout = 60_000)]
    public async Task Read_that_hangs_is_reported_and_neither_blocks_the_loop_nor_starts_a_second_read()
    {
        await using var server = await AServer.MigratedAsync();
        using var answers = new ManualResetEventSlim();
        var reads = 0;
        var time = new LimitTime();
        using var folder = Folder(
            server,
            time,
            path =>
            {
                Interlocked.Increment(ref reads);
                answers.Wait(Stop);
                return BundleFolder.Read(path);
            }
        );

        await ReadAsync();
        await ReadAsync();

        Assert.Equal(1, Volatile.Read(ref reads));
        Assert.Contains("has not ended", Assert.Single(folder.LastReading.Errors).Message, StringComparison.Ordinal);
        Assert.True(folder.ReadingAge > TimeSpan.FromSeconds(5), $"{folder.ReadingAge}");
        answers.Set();
        await folder.OnceAsync(Stop);
        Assert.DoesNotContain(folder.LastReading.Errors, error => error.Message.Contains("has not ended", StringComparison.Ordinal));
        Assert.True(folder.ReadingAge < TimeSpan.FromSeconds(5), $"{folder.ReadingAge}");

        async Task ReadAsync()
        {
            var reading = folder.OnceAsync(Stop);
            Assert.False(reading.IsCompleted);
            time.Pass();
            await reading;
        }
    }

    private static PolicyFolder Folder(AServer server, TimeProvider time, Func<string, IReadOnlyList<BundleFile>> read) =>
        new(
            server.Get<BundleActivation>(),
            server.Get<IDbContextFactory<DispatcherDb>>(),
            server.Get<ServerSettings>(),
            server.Get<CurrentBundle>(),
            server.Get<DispatcherMetrics>(),
            server.Get<IOptions<PolicyFolderOptions>>(),
            time,
            NullLogger<PolicyFolder>.Instance
        )
        {
            Read = read,
        };

    /// <summary>A clock that does not move until a limit passes.</summary>
    private sealed class LimitTime : TimeProvider
    {
        private readonly Queue<(TimeSpan Due, Action End)> _limits = new();
        private TimeSpan _now;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _now.Ticks;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            _limits.Enqueue((_now + dueTime, () => callback(state)));
            return System.CreateTimer(callback, state, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }

        /// <summary>Moves just past the oldest limit, and ends it.</summary>
        public void Pass()
        {
            var (due, end) = _limits.Dequeue();
            _now = due + TimeSpan.FromTicks(1);
            end();
        }
    }
}
