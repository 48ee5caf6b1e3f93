using Dispatcher.Base;
using Dispatcher.Enforcement;
using Dispatcher.Policies;
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
        using var folder = Folder(server, BundleFolder.Read);

        await folder.OnceAsync(Stop);

        var error = Assert.Single(folder.LastLook.Errors);
        Assert.Equal((server.Policies, "The folder does not exist."), (error.Where, error.Message));
    }

    [Fact(Timeout = 60_000)]
    public async Task Read_that_hangs_is_reported_and_neither_holds_the_loop_nor_starts_a_second_read()
    {
        await using var server = await AServer.MigratedAsync();
        using var answers = new ManualResetEventSlim();
        var reads = 0;
        using var folder = Folder(
            server,
            path =>
            {
                Interlocked.Increment(ref reads);
                answers.Wait(Stop);
                return BundleFolder.Read(path);
            }
        );

        await folder.OnceAsync(Stop);
        await folder.OnceAsync(Stop);

        Assert.Equal(1, Volatile.Read(ref reads));
        Assert.Contains("has not ended", Assert.Single(folder.LastLook.Errors).Message, StringComparison.Ordinal);
        Assert.True(folder.LookAge > TimeSpan.FromSeconds(5), $"{folder.LookAge}");
        answers.Set();
        await folder.OnceAsync(Stop);
        Assert.DoesNotContain(folder.LastLook.Errors, error => error.Message.Contains("has not ended", StringComparison.Ordinal));
        Assert.True(folder.LookAge < TimeSpan.FromSeconds(5), $"{folder.LookAge}");
    }

    private static PolicyFolder Folder(AServer server, Func<string, IReadOnlyList<BundleFile>> read) =>
        new(
            server.Get<BundleActivation>(),
            server.Get<IDbContextFactory<DispatcherDb>>(),
            server.Get<ServerSettings>(),
            server.Get<CurrentBundle>(),
            server.Get<DispatcherMetrics>(),
            server.Get<IOptions<PolicyFolderOptions>>(),
            TimeProvider.System,
            NullLogger<PolicyFolder>.Instance
        )
        {
            Read = read,
        };
}
