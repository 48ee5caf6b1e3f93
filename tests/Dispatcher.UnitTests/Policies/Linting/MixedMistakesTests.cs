using System.Text.RegularExpressions;
using Dispatcher.Policies.Linting;

namespace Dispatcher.UnitTests.Policies.Linting;

/// <summary>
/// One bundle with many mistakes of form and of meaning, on the same topics and rules. A comment on each line describes its mistake.
/// </summary>
public partial class MixedMistakesTests
{
    private const string Topics = """
        version: v1
        pools:
          alpha: { enforcers: [timeout_ms, max_outputbytes] }  # !unknown_constraint
          beta: { enforcers: [allowed_hosts, timeout_ms] }
        topics:
          job.a.one:
            pool: alpha
            owner: Team A  # !bad_value
            risk: hihg  # !bad_value
            schema: one.json
            timeouts: { start: 60s, run: 2 m, heartbeat: 5s, overall: 1h }  # !bad_value
            tags: { optionl: [pii] }  # !unknown_key
            colour: red  # !unknown_key
            labels:
              env: { values: [dev, prod] }
              tier: { absent: no_match }
              kind: { source: payload, derive: { path: k, table: [{ exact: [x], value: exx }], default: other } }  # !bad_value
          job.b.two:
            pool: beta
            owner: team-b
            risk: low
            schema: two.json
            timeouts: { start: 60s, run: 2m, heartbeat: 5s, overall: 1h }
          mail.c.orphan:  # !topic_without_rule
            pool: alpha
            owner: team-b
            risk: low
            risk: high  # !duplicate_key
            schema: two.json
            timeouts: { start: 60s, run: 2m, heartbeat: 5s, overall: 1h }
          job.d.broken: { pool: alpha, owner: team-b  # !bad_yaml
          job.e.open: {pool: alpha, owner: team-b, risk: low, schema: two.json, timeouts: {start: 60s, run: 2m, heartbeat: 5s, overall: 1h},
            retries: 3}  # !unknown_key
        """;

    private const string First = """
        version: v1
        rules:
          - { id: word, match: { topic: job.a.one, labels: { env: dev } }, decision: ALLOW }  # !producers_word
          - { id: every, match: { topic: job.a.one }, decison: ALLOW, prio: 1 }  # !unknown_key !unknown_key !unconditional_grant
          - {id: tier, match: {topic: job.a.one, labels: {tier: gold}}, decision: DENY, reason: r,  # !avoidable_restriction
              guardrail: yes}  # !bad_value
          - { id: label, match: { topic: job.a.one, labels: { colour: red } }, decision: DENY, reason: r }  # !unregistered_label
          - {id: tag, match: {topic: job.a.one, risk_tags: [ppi]}, decision: DENY, reason: r, owners: sre}  # !unregistered_tag !wrong_kind
          - {id: value, match: {topic: job.a.one, labels: {env: [dev, staging]}, principal: b}, decision: DENY, reason: r}  # !unknown_value
          - {id: derived, match: {topic: job.a.one, labels: {kind: [exx, zed]}, principal: c},  # !value_never_derived
              decision: DENY, reason: r}
          - {id: hosts, match: {topic: job.a.one, principal: d}, decision: ALLOW_WITH_CONSTRAINTS,  # !constraint_not_enforced
              constraints: {allowed_hosts: [a.org]}}
          - id: unclosed
            match: { topic: job.b.two, labels: { env: dev }  # !bad_yaml
            decision: DENY
          - { id: topic, match: { topic: job.a.onee }, decision: DENY, reason: &r r }  # !unregistered_topic !not_plain_yaml
          - { id: pattern, match: { topic: 'jobs.**' }, decision: DENNY, reason: r }  # !topic_fits_nothing !unknown_decision
          - { id: late, match: { topic: job.b.two, principal: late }, decision: DENY, reason: r, review_by: 2025-01-01 }  # !review_overdue
          - { id: space, match: { topic:job.b.two, principal: late }, decision: ALLOW }  # !unknown_key !shadowed
        """;

    private const string Second = """
        version: v1
        rules:
          - { id: one, match: { topic: job.b.two, principal: e }, decision: DENY, reason: r }
          - { id: two, match: { topic: job.b.*, principal: [e] }, decision: DENY, reason: r, when: now }  # !same_rule !unknown_key
          - {id: two, match: {topic: job.b.two, principal: f}, decision: REQUIRE_APPROVAL, reason: r,  # !duplicate_id
              approval: {use_within: 1 hour}}  # !bad_value
          - { id: never, match: { topic: job.b.two, principal: g, unless: { principal: [g, h] } }, decision: ALLOW }  # !never_matches
          - { id: old, match: { topic: job.b.two, principal: i }, decision: ALLOW, effective: { until: 2025-01-01T00:00:00Z } }  # !expired
          - { id: moved, match: { principal: j }, topic: job.b.two, decision: DENY, reason: r }  # !unknown_key
          - {id: all, match: {topic: 'job.**', principal: root}, decision: ALLOW,  # !broad_grant
              constraints: {timeout: 5}}  # !no_effect !unknown_constraint
        """;

    private const string Cases = """
        version: v1
        cases:
          - { name: a, job: { topic: job.b.two, principal: Root }, expect: { verdict: ALOW } }  # !bad_value !unknown_decision
          - { name: a, job: { topic: job.b.two, principal: x }, expect: { verdict: DENY, ruls: [oen] } }  # !duplicate_id !unknown_key
          - { name: c, job: { topic: job.nosuch, principal: x }, expect: { verdict: ALLOW } }  # !unregistered_topic
        """;

    [Fact]
    public void Reports_every_mistake_with_file_and_line()
    {
        var bundle = ABundle.WithFiles(
            ("topics.yaml", Topics),
            ("rules/a.yaml", First),
            ("rules/b.yaml", Second),
            ("cases/a.yaml", Cases),
            ("schemas/one.json", "{ \"type\": \"object\",\n\"requird\": [] }"),
            ("schemas/two.json", "{ \"type\": \"object\" }"),
            ("schemas/three.json", "{}"),
            ("rules/c.yml", "")
        );
        string[] elsewhere = ["schemas/one.json:2 unknown_keyword", "schemas/three.json unused_schema", "rules/c.yml unknown_file"];

        List<string> found =
        [
            .. bundle
                .Lint()
                .Where(finding => finding.Severity != LintSeverity.Info)
                .Select(finding => $"{finding.Where} {finding.Code}")
                .Order(StringComparer.Ordinal),
        ];

        List<string> made =
        [
            .. Marked("topics.yaml", Topics),
            .. Marked("rules/a.yaml", First),
            .. Marked("rules/b.yaml", Second),
            .. Marked("cases/a.yaml", Cases),
            .. elsewhere,
        ];
        Assert.Equal(made.Order(StringComparer.Ordinal), found);
    }

    private static IEnumerable<string> Marked(string path, string text) =>
        text.Split('\n')
            .Index()
            .SelectMany(line => Mark().Matches(line.Item).Select(mark => $"{path}:{line.Index + 1} {mark.Groups[1].Value}"));

    [GeneratedRegex("!([a-z_]+)")]
    private static partial Regex Mark();
}
