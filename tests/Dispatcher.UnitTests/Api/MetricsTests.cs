using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.UnitTests.Hosting;

namespace Dispatcher.UnitTests.Api;

public sealed class MetricsTests
{
    /// <summary>Names, kinds, units and tags. Values are left out, because all servers of this test program add to them.</summary>
    [Fact]
    public async Task Metrics_match_the_approved_list()
    {
        await using var server = await AServer.MigratedAsync();
        var metrics = server.Get<DispatcherMetrics>();
        metrics.Activated();
        metrics.Refused();
        metrics.FolderSeen(2, TimeSpan.FromSeconds(3));
        metrics.Decided(Hop.Intake, Verdict.Deny, TimeSpan.FromMilliseconds(1));
        metrics.Decided(Hop.Dispatch, Verdict.Allow, TimeSpan.FromMilliseconds(1));
        metrics.PoolSeen("metrics", waiting: 3, capacity: 2, limit: null);
        metrics.AttemptEnded("metrics", "lost");
        metrics.Sealed(2);
        metrics.SealingLags(TimeSpan.FromSeconds(1));

        var lines = (await server.TextAsync("/metrics"))
            .Split('\n')
            .Where(line => Parts.Any(part => line.Contains(part, StringComparison.Ordinal)))
            .Where(line => !OfLoops.Any(part => line.Contains(part, StringComparison.Ordinal)));

        Approved.Matches("Api/Metrics", lines.Select(WithoutValue).Where(IsOfThisTest).Distinct().Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Metrics_have_the_memory_of_the_runtime()
    {
        await using var server = await AServer.MigratedAsync();

        var answer = await server.TextAsync("/metrics");

        Assert.Contains("\ndotnet_gc_heap_total_allocated_bytes_total", answer, StringComparison.Ordinal);
        Assert.Contains("\ndotnet_process_memory_working_set_bytes", answer, StringComparison.Ordinal);
    }

    private static readonly string[] Parts = ["dispatcher_policy_", "dispatcher_audit_", "dispatcher_pool_", "dispatcher_attempts_"];

    /// <summary>The loops of other servers may have recorded them, or not yet.</summary>
    private static readonly string[] OfLoops = ["dispatcher_policy_bundle", "dispatcher_pool_oldest_age_seconds"];

    private static string WithoutValue(string line) =>
        line.StartsWith('#')
            ? line
            : line[
                ..(
                    line.LastIndexOf("} ", StringComparison.Ordinal) is var end and >= 0
                        ? end + 1
                        : line.IndexOf(' ', StringComparison.Ordinal)
                )
            ];

    /// <summary>Tests that run at the same time may record other verdicts.</summary>
    private static bool IsOfThisTest(string line) =>
        line.StartsWith('#')
        || (
            line.StartsWith("dispatcher_policy_decision", StringComparison.Ordinal) && line.Contains("verdict", StringComparison.Ordinal)
                ? line.Contains("\"intake\",verdict=\"DENY\"", StringComparison.Ordinal)
                    || line.Contains("\"dispatch\",verdict=\"ALLOW\"", StringComparison.Ordinal)
                : !line.Contains("pool=", StringComparison.Ordinal) || line.Contains("pool=\"metrics\"", StringComparison.Ordinal)
        );
}
