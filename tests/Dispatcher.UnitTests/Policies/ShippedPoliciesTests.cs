using System.Text;
using Dispatcher.Contracts;
using Dispatcher.Policies;

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
    public void The_checklists_rules_are_shipped_untouched()
    {
        byte[] file = File.ReadAllBytes(Path.Combine(Folder(), "rules", "checklist.yaml"));

        Assert.Equal(Checklist.ReplaceLineEndings("\n"), Encoding.UTF8.GetString(file));
    }

    [Fact]
    public void A_destructive_command_in_production_is_denied()
    {
        Decision decision = Decide(Shell("prod", """["rm","-rf","/srv"]"""));

        Assert.Equal(Verdict.Deny, decision.Verdict);
        Assert.Equal(["deny-destructive-prod"], decision.Rules);
        Assert.Equal("destructive production command blocked", decision.Reason);
    }

    [Fact]
    public void A_production_deployment_waits_for_a_person()
    {
        Decision decision = Decide(AJob.OnTopic("job.deploy.apply").WithLabel("env", "prod"));

        Assert.Equal(Verdict.RequireApproval, decision.Verdict);
        Assert.Equal(["approval-prod-write"], decision.Rules);
        Assert.Equal("production deployment requires human approval", decision.Reason);
        Assert.Equal(ApprovalRequirement.Default, decision.Approval);
        Assert.Null(decision.Constraints);
    }

    [Fact]
    public void An_external_call_is_limited_to_the_two_hosts_though_its_producer_names_no_tag()
    {
        Decision decision = Decide(AJob.OnTopic("job.integrations.call"));

        Assert.Equal(Verdict.AllowWithConstraints, decision.Verdict);
        Assert.Equal(["constrain-external-egress"], decision.Rules);
        Assert.Equal("allowed by constrain-external-egress", decision.Reason);
        Assert.Equal(["api.github.com", "api.slack.com"], decision.Constraints!.AllowedHosts);
        Assert.Equal(15000, decision.Constraints.TimeoutMs);
    }

    [Fact]
    public void Reading_a_repository_is_allowed()
    {
        Decision decision = Decide(AJob.OnTopic("job.repo.read"));

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
    [InlineData("\"whoami\"")]
    public void A_command_that_only_looks_runs_in_development(string command)
    {
        Decision decision = Decide(Shell("dev", command));

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
    public void A_command_that_takes_files_is_not_granted_since_it_reads_all_that_the_worker_may(string command)
    {
        Decision decision = Decide(Shell("dev", command));

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
    [InlineData("[]")]
    [InlineData("\"ls -la\"")]
    public void A_command_that_might_write_is_not_granted_even_in_development(string command)
    {
        Decision decision = Decide(Shell("dev", command));

        Assert.Equal(Verdict.Deny, decision.Verdict);
        Assert.Equal(ReasonCodes.NoMatch, decision.Reason);
    }

    [Fact]
    public void A_producer_cannot_call_a_destructive_command_readonly()
    {
        Decision decision = Decide(Shell("dev", """["rm","x"]""").WithLabel("command_class", "readonly"));

        Assert.Equal(Verdict.Deny, decision.Verdict);
        Assert.Equal(ReasonCodes.LabelConflict, decision.Reason);
    }

    [Theory]
    [InlineData("dev")]
    [InlineData("staging")]
    public void A_deployment_outside_production_runs_with_a_time_limit(string env)
    {
        Decision decision = Decide(AJob.OnTopic("job.deploy.apply").WithLabel("env", env));

        Assert.Equal(Verdict.AllowWithConstraints, decision.Verdict);
        Assert.NotNull(decision.Constraints!.TimeoutMs);
    }

    [Fact]
    public void The_registry_has_the_checklists_four_topics()
    {
        Assert.Equal(["job.deploy.apply", "job.exec.shell", "job.integrations.call", "job.repo.read"], Shipped.JobClasses.Keys.Order(StringComparer.Ordinal));
        Assert.True(Shipped.JobClasses["job.integrations.call"].Idempotent);
        Assert.True(Shipped.JobClasses["job.repo.read"].Idempotent);
        Assert.False(Shipped.JobClasses["job.exec.shell"].Idempotent);
        Assert.Equal("low", Shipped.JobClasses["job.repo.read"].Risk);
        Assert.Equal(["allowed_hosts", "max_output_bytes", "timeout_ms"], Shipped.Pools["integrations"].Enforcers);
    }

    [Fact]
    public void What_lint_says_of_them_is_known()
    {
        IReadOnlyList<LintFinding> findings = BundleLint.Check(BundleFolder.Read(Folder()), ABundle.Now);

        Assert.DoesNotContain(findings, finding => finding.Severity == LintSeverity.Error);
        Approved.Matches("Policies/Linting/Shipped", findings.Select(finding => finding.ToString()));
    }

    [Fact]
    public void The_readmes_example_loads()
    {
        string readme = File.ReadAllText(Path.Combine(Folder(), "README.md"));
        string example = readme.Split("```yaml\n")[1].Split("```")[0];

        Assert.Empty(ABundle.WithRules().AndFile("rules/example.yaml", example).Load().Errors);
    }

    private static AJob Shell(string env, string command) =>
        AJob.OnTopic("job.exec.shell").WithLabel("env", env).WithPayload($$"""{"command":{{command}}}""");

    private static Decision Decide(AJob job) => Shipped.Decide(job.Facts, ABundle.Now);

    private static Bundle Load()
    {
        BundleLoad load = Bundle.Load(BundleFolder.Read(Folder()));
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
