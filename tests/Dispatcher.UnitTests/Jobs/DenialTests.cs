using Dispatcher.Enforcement;
using Dispatcher.Intake;
using Dispatcher.Storage;
using Dispatcher.UnitTests.Hosting;
using Dispatcher.UnitTests.Policies;
using Dispatcher.Web;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.UnitTests.Jobs;

public sealed class DenialTests
{
    [Theory]
    [InlineData(65_534, true)]
    [InlineData(65_535, false)]
    public async Task Denied_submission_is_kept_for_another_bundle_unless_its_payload_is_too_large(int characters, bool kept)
    {
        await using var server = await AServer.MigratedAsync();
        ABundle.WithRules().WriteTo(server.Policies);
        await server.Get<PolicyFolder>().OnceAsync(Stop);
        await server.Get<PolicyFolder>().OnceAsync(Stop);
        await server.Get<StoreClock>().OnceAsync(Stop);
        await server.Get<IntakeWriter>().StartAsync(Stop);
        var payload = $"\"{new string('x', characters)}\"";

        var (status, _) = await server.AskAsync(
            "POST",
            "/api/jobs/",
            ACaller.With(Role.Producer, "billing"),
            body: $$"""{"topic":"test.run","labels":{"env":"dev"},"risk_tags":["egress"],"workflow_id":"nightly","payload":{{payload}}}"""
        );

        Assert.Equal(StatusCodes.Status403Forbidden, status);
        await using var db = await server.DatabaseAsync();
        var denial = await db.Denials.AsNoTracking().SingleAsync(Stop);
        Assert.Equal(kept ? payload : null, denial.Payload is null ? null : System.Text.Encoding.UTF8.GetString(denial.Payload));
        Assert.Equal(("dev", "egress", "nightly"), (denial.Labels["env"], Assert.Single(denial.RiskTags), denial.WorkflowId));
        await server.Get<IntakeWriter>().StopAsync(Stop);
    }

    private static CancellationToken Stop => TestContext.Current.CancellationToken;
}
