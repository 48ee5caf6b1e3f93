using Dispatcher.Contracts;
using Dispatcher.Health;
using Dispatcher.Judging;
using Dispatcher.UnitTests.Hosting;

namespace Dispatcher.UnitTests.Health;

public sealed class MetricsTests
{
    /// <summary>Names, kinds, units and tags; values are those of every server that this test program runs.</summary>
    [Fact]
    public async Task The_metrics_are_as_approved()
    {
        await using var server = await AServer.MigratedAsync();
        var metrics = server.Get<DispatcherMetrics>();
        metrics.Activated();
        metrics.Refused();
        metrics.FolderSeen(2, TimeSpan.FromSeconds(3));
        metrics.Decided(Hop.Intake, Verdict.Deny, TimeSpan.FromMilliseconds(1));
        metrics.Decided(Hop.Dispatch, Verdict.Allow, TimeSpan.FromMilliseconds(1));
        metrics.Sealed(2);
        metrics.SealingLags(TimeSpan.FromSeconds(1));

        var lines = (await server.TextAsync("/metrics")).Split('\n').Where(line => line.Contains("dispatcher_policy_", StringComparison.Ordinal) || line.Contains("dispatcher_audit_", StringComparison.Ordinal));

        Approved.Matches("Health/Metrics", lines.Select(WithoutValue).Where(IsOfThisTest).Distinct().Order(StringComparer.Ordinal));
    }

    private static string WithoutValue(string line) => line.StartsWith('#') ? line : line[..(line.LastIndexOf("} ", StringComparison.Ordinal) is var end and >= 0 ? end + 1 : line.IndexOf(' ', StringComparison.Ordinal))];

    /// <summary>Other tests that run meanwhile may have decided otherwise.</summary>
    private static bool IsOfThisTest(string line) =>
        !line.StartsWith("dispatcher_policy_decisions", StringComparison.Ordinal) || line.Contains("\"DENY\"", StringComparison.Ordinal) == line.Contains("\"intake\"", StringComparison.Ordinal);
}
