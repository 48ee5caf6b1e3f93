using System.Text;
using Dispatcher.Contracts;
using Dispatcher.Policies;
using Dispatcher.Policies.Files;
using Dispatcher.Policies.Linting;
using Dispatcher.Policies.Model;

namespace Dispatcher.UnitTests.Policies;

public class ShippedPoliciesTests
{
    private const string Checklist = """
        version: v1
        rules:
          - id: deny-destructive-prod
            match:
              topic: "job.exec.shell"
              labels:
                env: prod
                command_class: destructive
            decision: DENY
            reason: "destructive production command blocked"
          - id: approval-prod-write
            match:
              topic: "job.deploy.apply"
              labels:
                env: prod
            decision: REQUIRE_APPROVAL
            reason: "production deployment requires human approval"
          - id: constrain-external-egress
            match:
              topic: "job.integrations.call"
              risk_tags: ["egress"]
            decision: ALLOW_WITH_CONSTRAINTS
            constraints:
              allowed_hosts: ["api.github.com", "api.slack.com"]
              timeout_ms: 15000
          - id: allow-read-only
            match:
              topic: "job.repo.read"
            decision: ALLOW

        """;

    private static readonly Bundle Shipped = Load();

    [Fact]
    public void Rules_of_the_checklist_are_shipped_unchanged()
    {
        var file = File.ReadAllBytes(Path.Combine(Folder(), "rules", "checklist.yaml"));

        Assert.Equal(Checklist.ReplaceLineEndings("\n"), Encoding.UTF8.GetString(file));
    }

    [Fact]
    public void Denies_a_destructive_command_in_production()
    {
        var decision = Decide(Shell("prod", """["rm","-rf","/srv"]"""));

        Assert.Equal(Verdict.Deny, decision.Verdict);
        Assert.Equal(["deny-destructive-prod"], decision.Rules);
        Assert.Equal("destructive production command blocked", decision.Reason);
    }

    [Fact]
    public void Production_deployment_requires_approval()
    {
        var decision = Decide(Deployment("prod"));

        Assert.Equal(Verdict.RequireApproval, decision.Verdict);
        Assert.Equal(["approval-prod-write"], decision.Rules);
        Assert.Equal("production deployment requires human approval", decision.Reason);
        Assert.Equal(ApprovalRequirement.Default, decision.Approval);
        Assert.Null(decision.Constraints);
    }

    [Fact]
    public void External_call_without_a_tag_is_limited_to_the_two_hosts()
    {
        var decision = Decide(AJob.OnTopic("job.integrations.call").WithPayload("""{"url":"https://api.github.com/"}"""));

        Assert.Equal(Verdict.AllowWithConstraints, decision.Verdict);
        Assert.Equal(["constrain-external-egress"], decision.Rules);
        Assert.Equal("allowed by constrain-external-egress", decision.Reason);
        Assert.Equal(["api.github.com", "api.slack.com"], decision.Constraints!.AllowedHosts);
        Assert.Equal(15000, decision.Constraints.TimeoutMs);
    }

    [Fact]
    public void Allows_reading_a_repository()
    {
        var decision = Decide(AJob.OnTopic("job.repo.read").WithPayload("""{"repo":"demo","op":"log"}"""));

        Assert.Equal(Verdict.Allow, decision.Verdict);
        Assert.Equal(["allow-read-only"], decision.Rules);
        Assert.Equal("repo", decision.JobClass!.Pool);
    }

    [Theory]
    [InlineData("""["git","--version"]""")]
    [InlineData("""["git","version"]""")]
    [InlineData("""["ls"]""")]
    [InlineData("""["date"]""")]
    [InlineData("""["hostname"]""")]
    [InlineData("""["echo","hello"]""")]
    [InlineData("""["id","-u"]""")]
    [InlineData("""["uname","-a"]""")]
    [InlineData("""["pwd"]""")]
    [InlineData("""["whoami"]""")]
    public void Readonly_command_runs_in_development(string command)
    {
        var decision = Decide(Shell("dev", command));

        Assert.Equal(Verdict.AllowWithConstraints, decision.Verdict);
        Assert.Equal(["dev-shell-readonly"], decision.Rules);
        Assert.Equal(30000, decision.Constraints!.TimeoutMs);
        Assert.Equal(65536, decision.Constraints.MaxOutputBytes);
        Assert.Equal(["date", "echo", "git", "hostname", "id", "ls", "pwd", "uname", "whoami"], decision.Constraints.AllowedCommands!);
    }

    [Theory]
    [InlineData("""["cat","/proc/1/environ"]""")]
    [InlineData("""["cat"]""")]
    [InlineData("""["grep","-r","key","/"]""")]
    [InlineData("""["head","-c","100","/etc/passwd"]""")]
    [InlineData("""["tail","x"]""")]
    [InlineData("""["cut","-c1-","x"]""")]
    [InlineData("""["wc","--files0-from=x"]""")]
    [InlineData("""["md5sum","x"]""")]
    [InlineData("""["sha256sum","x"]""")]
    [InlineData("""["realpath","x"]""")]
    [InlineData("""["stat","/"]""")]
    [InlineData("""["df","/"]""")]
    [InlineData("""["du","/"]""")]
    [InlineData("""["ls","/"]""")]
    [InlineData("""["ls","-la"]""")]
    [InlineData("""["date","-f","/etc/passwd"]""")]
    [InlineData("""["hostname","-F","/etc/passwd"]""")]
    [InlineData("""["git","rev-parse","HEAD"]""")]
    public void Command_that_takes_files_is_not_granted(string command)
    {
        var decision = Decide(Shell("dev", command));

        Assert.Equal(Verdict.Deny, decision.Verdict);
        Assert.Equal(ReasonCodes.NoMatch, decision.Reason);
    }

    [Theory]
    [InlineData("""["git","log","--output=/etc/passwd"]""")]
    [InlineData("""["git","--version","--output=x"]""")]
    [InlineData("""["git","status"]""")]
    [InlineData("""["/bin/rm","x"]""")]
    [InlineData("""["/bin/ls"]""")]
    [InlineData("""["LS"]""")]
    [InlineData("""["ls; rm -rf /"]""")]
    [InlineData("""["env","rm","x"]""")]
    [InlineData("""["sh","-c","ls"]""")]
    [InlineData("""["find",".","-delete"]""")]
    [InlineData("""["date","-s","2020-01-01"]""")]
    [InlineData("""["hostname","evil"]""")]
    [InlineData("""["sort","-o","x"]""")]
    public void Command_that_may_write_is_not_granted_even_in_development(string command)
    {
        var decision = Decide(Shell("dev", command));

        Assert.Equal(Verdict.Deny, decision.Verdict);
        Assert.Equal(ReasonCodes.NoMatch, decision.Reason);
    }

    [Fact]
    public void Producer_cannot_label_a_destructive_command_readonly()
    {
        var decision = Decide(Shell("dev", """["rm","x"]""").WithLabel("command_class", "readonly"));

        Assert.Equal(Verdict.Deny, decision.Verdict);
        Assert.Equal(ReasonCodes.LabelConflict, decision.Reason);
    }

    [Theory]
    [InlineData("dev")]
    [InlineData("staging")]
    public void Deployment_outside_production_runs_with_a_time_limit(string env)
    {
        var decision = Decide(Deployment(env));

        Assert.Equal(Verdict.AllowWithConstraints, decision.Verdict);
        Assert.NotNull(decision.Constraints!.TimeoutMs);
    }

    [Fact]
    public void Registry_has_the_four_topics_of_the_checklist()
    {
        Assert.Equal(
            ["job.deploy.apply", "job.exec.shell", "job.integrations.call", "job.repo.read"],
            Shipped.JobClasses.Keys.Order(StringComparer.Ordinal)
        );
        Assert.True(Shipped.JobClasses["job.integrations.call"].Idempotent);
        Assert.True(Shipped.JobClasses["job.repo.read"].Idempotent);
        Assert.False(Shipped.JobClasses["job.exec.shell"].Idempotent);
        Assert.Equal("low", Shipped.JobClasses["job.repo.read"].Risk);
        Assert.Equal(["allowed_hosts", "max_output_bytes", "timeout_ms"], Shipped.Pools["integrations"].Enforcers);
    }

    [Fact]
    public void Shipped_policies_have_no_lint_warning()
    {
        var findings = BundleLint.Check(BundleFolder.Read(Folder()), ABundle.Now);

        Assert.DoesNotContain(findings, finding => finding.Severity != LintSeverity.Info);
        Approved.Matches("Policies/Linting/Shipped", findings.Select(finding => finding.ToString()));
    }

    [Fact]
    public void Shipped_cases_pass_and_no_shipped_rule_is_removable()
    {
        var report = PolicyTest.Run(BundleFolder.Read(Folder()), ABundle.Now);

        Assert.Empty(report.Errors);
        Assert.Empty(report.Cases.Where(test => !test.Passed).SelectMany(test => test.Differences));
        Assert.Empty(report.Rules.Where(rule => !rule.IsMissed).Select(rule => rule.Id));
    }

    [Theory]
    [InlineData("job.exec.shell", """{"command":["ls"],"cwd":"a/b","env":{"LANG":"C"},"stdin":"x\u0000","transient_exit_codes":[75]}""")]
    [InlineData("job.exec.shell", """{"command":["ls"],"cwd":null,"env":null,"stdin":null,"transient_exit_codes":null}""")]
    [InlineData("job.deploy.apply", """{"recipe":"web","version":"1.2.3-rc_1"}""")]
    [InlineData("job.integrations.call", """{"url":"https://api.github.com/"}""")]
    [InlineData("job.integrations.call", """{"url":"https://api.github.com/","method":"GET","headers":{"X-A":"b"},"body":null}""")]
    [InlineData("job.integrations.call", """{"url":"https://api.github.com/","method":"POST","body":{"a":[1]}}""")]
    [InlineData("job.repo.read", """{"repo":"demo","op":"log","ref":"main~1","path":"","limit":1000}""")]
    [InlineData("job.repo.read", """{"repo":"demo","op":"file","path":"src/a.txt"}""")]
    public void Schemas_accept_payloads_that_the_reference_worker_accepts(string topic, string payload) =>
        Assert.Empty(Decide(AJob.OnTopic(topic).WithPayload(payload)).PayloadErrors);

    [Theory]
    [InlineData("job.exec.shell", """{"command":[]}""", "/command")]
    [InlineData("job.exec.shell", """{"command":"ls -la"}""", "/command")]
    [InlineData("job.exec.shell", """{"command":["a\u0000"]}""", "/command/0")]
    [InlineData("job.exec.shell", """{"command":["ls"],"cwd":"/etc"}""", "/cwd")]
    [InlineData("job.exec.shell", """{"command":["ls"],"env":{"A=B":"x"}}""", "/env/A=B")]
    [InlineData("job.exec.shell", """{"command":["ls"],"transient_exit_codes":[2147483648]}""", "/transient_exit_codes/0")]
    [InlineData("job.exec.shell", """{"command":["ls"],"shell":true}""", "/shell")]
    [InlineData("job.deploy.apply", """{"recipe":"web","version":"-x"}""", "/version")]
    [InlineData("job.deploy.apply", """{"recipe":"web","version":"1\n"}""", "/version")]
    [InlineData("job.deploy.apply", """{"recipe":"web","version":"1","command":["rm"]}""", "/command")]
    [InlineData("job.integrations.call", """{"url":"https://a/","body":"x"}""", "")]
    [InlineData("job.integrations.call", """{"url":"https://a/","method":"HEAD","body":"x"}""", "")]
    [InlineData("job.integrations.call", """{"url":"https://a/","method":"TRACE"}""", "/method")]
    [InlineData("job.integrations.call", """{"url":"https://a/","headers":{"X Y":"b"}}""", "/headers/X Y")]
    [InlineData("job.integrations.call", """{"url":"https://a/","headers":{"X":"a\r\nB: c"}}""", "/headers/X")]
    [InlineData("job.repo.read", """{"repo":"demo","op":"file"}""", "")]
    [InlineData("job.repo.read", """{"repo":"demo","op":"push"}""", "/op")]
    [InlineData("job.repo.read", """{"repo":"demo","op":"log","ref":"--output=x"}""", "/ref")]
    [InlineData("job.repo.read", """{"repo":"demo","op":"log","path":"/etc"}""", "/path")]
    [InlineData("job.repo.read", """{"repo":"demo","op":"log","limit":1001}""", "/limit")]
    public void Schemas_refuse_payloads_that_the_reference_worker_refuses(string topic, string payload, string path) =>
        Assert.Contains(Decide(AJob.OnTopic(topic).WithPayload(payload)).PayloadErrors, error => error.Path == path);

    private static AJob Deployment(string env) =>
        AJob.OnTopic("job.deploy.apply").WithLabel("env", env).WithPayload("""{"recipe":"web","version":"1.2.3"}""");

    private static AJob Shell(string env, string command) =>
        AJob.OnTopic("job.exec.shell").WithLabel("env", env).WithPayload($$"""{"command":{{command}}}""");

    private static Decision Decide(AJob job) => Shipped.Decide(job.Facts, ABundle.Now);

    private static Bundle Load()
    {
        var load = Bundle.Load(BundleFolder.Read(Folder()));
        Assert.Empty(load.Errors);
        return load.Bundle!;
    }

    private static string Folder()
    {
        DirectoryInfo folder = new(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Dispatcher.sln")))
        {
            folder = folder.Parent!;
        }

        return Path.Combine(folder.FullName, "policies");
    }
}
