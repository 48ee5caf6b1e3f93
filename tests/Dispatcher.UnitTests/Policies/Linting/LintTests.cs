using System.Text;
using Dispatcher.Policies;
using Dispatcher.Policies.Files;
using Dispatcher.Policies.Linting;
using FsCheck;
using FsCheck.Fluent;

namespace Dispatcher.UnitTests.Policies.Linting;

public class LintTests
{
    private const string Topics = """
        version: v1
        pools:
          shell: { enforcers: [timeout_ms] }
          spare: {}
        topics:
          job.exec.shell:
            pool: shell
            owner: platform
            timeouts: { start: 60s, run: 2m, heartbeat: 5s, overall: 1h }
            tags: { optional: [pii] }
            labels:
              env: { values: [dev, prod], required: true }
              team: { absent: no_match }
              command_class: {source: payload,values: [readonly,mutating], derive: {path: /command,table: [{prefix: [ls],value: readonly}]}}
          job.mail.send:
            pool: shell
            owner: Platform Team
          job.old.thing:
            pool: shell
            owner: platform
            retries: 3
          job.repo.read:
            pool: shell
            owner: platform
            risk: low
        """;

    private const string Form = """
        version: v1
        rules:
          - id: misspelt
            match: { topic: job.exec.shell }
            decison: DENY
          - id: twice
            match: { topic: job.exec.shell, labels: { env: yes } }
            decision: DENNY
          - id: twice
            match: { topic: job.exec.shell }
            decision: ALLOW
            constraints: { timeout: 5 }
        """;

    private const string Meaning = """
        version: v1
        rules:
          - id: deny-prod
            match: { topic: job.exec.shell, labels: { env: prod } }
            decision: DENY
          - id: allow-prod-ci
            match: { topic: job.exec.shell, labels: { env: prod }, principal: ci }
            decision: ALLOW
          - id: dev
            match: { topic: job.exec.shell, labels: { env: dev }, principal: ci }
            decision: ALLOW_WITH_CONSTRAINTS
            constraints: { timeout_ms: 5, allowed_commands: [ls] }
          - id: dev-again
            match: { topic: 'job.exec.*', labels: { env: dev }, principal: ci, attempt_gte: 2 }
            decision: ALLOW_WITH_CONSTRAINTS
            constraints: { allowed_commands: [git] }
          - id: unknown-things
            match: { topic: job.exec.shell, labels: { evn: dev, env: prd }, risk_tags: [pi] }
            decision: REQUIRE_APPROVAL
            reason: unknown
          - id: never-derived
            match: { topic: job.exec.shell, labels: { command_class: [readonly, mutating] } }
            decision: REQUIRE_APPROVAL
            reason: class
          - id: team
            match: { topic: job.exec.shell, labels: { team: guests } }
            decision: DENY
            reason: guests
            guardrail: true
            effective: { until: 2027-01-01T00:00:00Z }
            review_by: 2026-11-01
          - id: old
            match: { topic: job.repo.raed }
            decision: ALLOW
            effective: { until: 2026-01-01T00:00:00Z }
            review_by: 2026-12-01
          - id: everything
            match: { topic: 'job.**', principal: root }
            decision: ALLOW
          - id: nothing
            match: { topic: 'jobs.*' }
            decision: ALLOW
          - id: contradiction
            match: { topic: job.exec.shell, labels: { env: { exists: false } } }
            decision: DENY
            reason: none
          - id: repo
            match: { topic: job.repo.read, principal: reader }
            decision: DENY
            reason: reader
          - id: repo-again
            match: { topic: job.repo.read, principal: [reader] }
            decision: DENY
            reason: reader
        """;

    private static readonly ABundle Mistaken = ABundle.WithFiles(
        ("topics.yaml", Topics),
        ("rules/form.yaml", Form),
        ("rules/meaning.yaml", Meaning),
        ("schemas/job.yml", "")
    );

    [Fact]
    public void One_run_reports_every_load_error_and_lint_finding()
    {
        var findings = Mistaken.Lint();

        Assert.True(findings.Select(finding => finding.Code).Distinct().Count() >= 15);
        Approved.Matches("Policies/Linting/Mistakes", findings.Select(finding => finding.ToString()));
    }

    [Fact]
    public void Every_load_error_is_a_finding()
    {
        var findings = Mistaken.Lint();

        Assert.All(
            Mistaken.Load().Errors,
            error =>
                Assert.Contains(
                    findings,
                    finding =>
                        finding.Severity == LintSeverity.Error
                        && (finding.Where, finding.Code, finding.Message) == (error.Where, error.Code, error.Message)
                )
        );
    }

    [Fact]
    public void File_order_does_not_matter()
    {
        var reversed = ABundle.WithFiles(
            ("rules/meaning.yaml", Meaning),
            ("schemas/job.yml", ""),
            ("rules/form.yaml", Form),
            ("topics.yaml", Topics)
        );

        Assert.Equal(Mistaken.Lint().Select(finding => finding.ToString()), reversed.Lint().Select(finding => finding.ToString()));
    }

    [Fact]
    public void Hostile_text_never_throws()
    {
        string[] noise =
        [
            "{",
            "}",
            "[",
            ": ",
            "- ",
            "\n",
            "'",
            "\"\\ud800\"",
            "&a ",
            "*a",
            "!!str ",
            "~",
            "**",
            "prod",
            "topics",
            "match",
            "\0",
            "\t",
            "9999999999",
            "/a/b/c",
            "''",
        ];
        Gen<(int File, int At, int Length, string Text)> edits =
            from file in Gen.Choose(0, 2)
            from at in Gen.Choose(0, 2500)
            from length in Gen.Choose(0, 12)
            from text in Gen.Elements(noise)
            select (file, at, length, text);

        foreach (var mutation in edits.ArrayOf(3).Sample(1500, new Rnd(20261123, 1), 50))
        {
            string[] texts = [Topics, Form, Meaning];
            foreach ((var file, var at, var length, var text) in mutation)
            {
                var start = Math.Min(at, texts[file].Length);
                texts[file] = texts[file].Remove(start, Math.Min(length, texts[file].Length - start)).Insert(start, text);
            }

            Assert.NotEmpty(ABundle.WithFiles(("topics.yaml", texts[0]), ("rules/a.yaml", texts[1]), ("rules/b.yaml", texts[2])).Lint());
        }
    }

    [Fact]
    public void Invalid_UTF8_never_throws()
    {
        foreach (var bytes in Gen.Choose(0, 255).Select(value => (byte)value).ArrayOf().Sample(300, new Rnd(20261123, 1), 60))
        {
            BundleFile[] files =
            [
                new BundleFile("topics.yaml", bytes),
                new BundleFile("rules/a.yaml", bytes),
                new BundleFile(Encoding.Latin1.GetString(bytes), bytes),
            ];

            Assert.Contains(BundleLint.Check(files, ABundle.Now), finding => finding.Severity == LintSeverity.Error);
        }
    }

    [Fact]
    public void Label_below_the_depth_limit_of_payloads_has_no_value()
    {
        var deep = string.Concat(Enumerable.Repeat("/a", 3000));
        var bundle = ABundle
            .WithRules("id: a, match: {topic: test.run, labels: {deep: x}}, decision: DENY")
            .AndTopic($"labels: {{deep: {{source: payload, derive: {{path: {deep}, table: [{{exact: [x], value: x}}]}}}}}}");

        Assert.Equal("rules/test.yaml:3", Assert.Single(bundle.Lint(), finding => finding.Code == LintCodes.ValueNeverDerived).Where);
    }

    [Fact]
    public void Incomplete_search_is_reported()
    {
        var findings = ABundle
            .WithRules([
                .. Enumerable
                    .Range(0, 2500)
                    .Select(i => $"id: r{i}, match: {{topic: test.run, unless: {{principal: p{i}}}}}, decision: ALLOW"),
            ])
            .Lint();

        Assert.Equal(LintSeverity.Warning, Assert.Single(findings, finding => finding.Code == LintCodes.Incomplete).Severity);
    }

    [Fact]
    public void Bundle_of_ten_thousand_rules_is_searched_completely()
    {
        string[] kinds = ["DENY", "ALLOW", "ALLOW_WITH_CONSTRAINTS, constraints: {{allowed_hosts: [h{0}]}}", "REQUIRE_APPROVAL"];
        var bundle = ABundle.WithRules();
        for (var file = 0; file < 10; file++)
        {
            bundle = bundle.AndRules($"rules/{file}.yaml", [.. Enumerable.Range(file * 1000, 1000).Select(Rule)]);
        }

        bundle = bundle.AndRules(
            "rules/z.yaml",
            "id: last, match: {topic: test.run, labels: {customer: c42, size: s9}}, decision: DENY, reason: r"
        );

        var findings = bundle.Lint();

        Assert.Contains(findings, finding => finding is { Code: LintCodes.Shadowed or LintCodes.SameRule, Where: "rules/z.yaml:3" });
        Assert.DoesNotContain(findings, finding => finding.Code == LintCodes.Incomplete);

        string Rule(int i) =>
            $"id: r{i}, match: {{topic: {(i % 3 == 0 ? "'test.*'" : "test.run")}, labels: "
            + $"{{{(i % 2 == 0 ? $"customer: c{i / 2}" : $"host: h{i}, size: s{i % 10}")}}}}}, reason: r, decision: "
            + (i == 84 ? "DENY" : string.Format(System.Globalization.CultureInfo.InvariantCulture, kinds[i % 4], i));
    }
}
