namespace Dispatcher.UnitTests.Audit.Gates;

public sealed class GateScriptTests
{
    /// <summary>The script as the production checklist prints it, line by line: both must stay the same.</summary>
    private const string OfTheChecklist = """
        # gate-check.sh
        set -euo pipefail

        # Fail if any unapproved high-risk execution appears in the last 10m
        HIGH_RISK_UNAPPROVED=$(curl -s "$API/metrics/high-risk-unapproved?window=10m")
        if [ "$HIGH_RISK_UNAPPROVED" -gt 0 ]; then
          echo "BLOCK: unapproved high-risk action detected"
          exit 1
        fi

        # Fail if reliability drifts outside launch SLO
        SUCCESS_RATE=$(curl -s "$API/metrics/success-rate?window=10m")
        P95_LATENCY_MS=$(curl -s "$API/metrics/p95-latency-ms?window=10m")
        if (( $(echo "$SUCCESS_RATE < 0.99" | bc -l) )); then
          echo "BLOCK: success rate below 99%"
          exit 1
        fi
        if [ "$P95_LATENCY_MS" -gt 1200 ]; then
          echo "BLOCK: P95 latency above threshold"
          exit 1
        fi
        echo "PASS: promote canary step"

        """;

    [Fact]
    public void Gate_script_equals_the_checklist()
    {
        var path = Path.Combine(Repository.Root, "ops", "gate-check.sh");

        Assert.Equal(OfTheChecklist, File.ReadAllText(path));
        if (!OperatingSystem.IsWindows())
        {
            Assert.True(File.GetUnixFileMode(path).HasFlag(UnixFileMode.UserExecute));
        }
    }
}
