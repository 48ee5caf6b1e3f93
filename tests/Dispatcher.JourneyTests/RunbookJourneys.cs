using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>The runbook: each alert is made, and each entry with commands is followed.</summary>
public sealed class RunbookJourneys
{
    [Fact]
    public void Every_alert_is_made_in_a_stage() =>
        Assert.Equal(ShortAlerts.Names.Order(StringComparer.Ordinal), Made().Order(StringComparer.Ordinal));

    /// <summary>A stage runs all commands of each entry that it follows.</summary>
    [Fact]
    public void Every_entry_with_commands_is_followed() => Assert.Empty(Runbook.Headings.Except(Made()));

    private static IEnumerable<string> Made() =>
        PoolAlertJourneys.Alerts.Concat(FaultAlertJourneys.Alerts).Concat(ServerAlertJourneys.Alerts).Concat(BrokerAlertJourneys.Alerts);
}
