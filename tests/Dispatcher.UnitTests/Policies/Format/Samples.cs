using System.Text;
using System.Text.Json.Nodes;
using Dispatcher.Policies.Files;
using Dispatcher.Policies.Testing;

namespace Dispatcher.UnitTests.Policies.Format;

/// <summary>Documents that load and, between them, use every key.</summary>
internal static class Samples
{
    private const string Rules = """
        version: v1
        rules:
          - id: Full.rule-1
            description: for people
            owners: [platform]
            guardrail: true
            review_by: 2026-11-01
            trusts_producer: the worker checks it
            effective: { from: 2026-11-01T00:00:00Z, until: 2027-01-01T00:00:00.5+01:00 }
            match:
              topic: job.*.**
              labels: { env: prod, region: [eu, us], team: { not: guests }, zone: { not: [a, b] }, ticket: { exists: false } }
              risk_tags: [egress]
              principal: ci
              workflow_id: [nightly, weekly]
              attempt_gte: 2
              unless: { labels: { change: approved }, risk_tags: { none: [pii] }, unless: { principal: [a] } }
            decision: REQUIRE_APPROVAL
            reason: because
            constraints: { allowed_hosts: [api.example.com, localhost], allowed_commands: [git, /bin/ls], timeout_ms: 15000,
                max_output_bytes: 0 }
            approval: { groups: { sre-oncall: 1 }, exclude: [requester], decide_within: 24h, use_within: 90m, covers: attempt,
                on_policy_change: same_basis }
          - { id: a, match: { topic: "**" }, decision: DENY }
          - { id: b, match: { risk_tags: { any: [egress] } }, decision: ALLOW }
          - { id: c, match: { principal: [ci] }, decision: ALLOW_WITH_CONSTRAINTS, constraints: { timeout_ms: 1 } }
        """;

    private const string Topics = """
        version: v1
        longest_run: 2h
        pools:
          main: { enforcers: [allowed_commands, timeout_ms] }
          other: {}
        topics:
          job.exec.shell:
            pool: main
            owner: platform
            schema: payload.json
            risk: low
            idempotent: true
            max_attempts: 5
            timeouts: { start: 60s, run: 250ms, heartbeat: 1h, overall: 168h }
            backoff: { first: 1ms, most: 24h }
            faults: { transient: [http:409, "stock_*"], terminal: [exit:1, My.Exception] }
            tags: { always: [egress], optional: [pii] }
            labels:
              env: { values: [dev, prod], required: true, absent: no_match, source: producer }
              who: { source: principal }
              class:
                source: payload
                derive: { path: /command, table: [{ exact: [git, --version], value: readonly }, { prefix: [echo], value: readonly }],
                    default: mutating }
              host: { source: payload, derive: { path: /to, after_last: "@", table: [{ exact: [example.com], value: inside },
                  { ends_with: .example.com, value: inside }] } }
              digest: { source: payload, derive: { path: /image, after: "@", table: [{ starts_with: "sha256:", value: pinned }],
                  default: odd } }
              name: { source: payload, derive: { path: /image, after_first: "/", table: [{ suffix: [web], value: web }] } }
              any: {}
          job.repo: { pool: other, owner: platform }
        """;

    private const string Cases = """
        version: v1
        cases:
          - name: a sentence
            at: 2026-11-01T00:00:00Z
            job:
              topic: test.run
              principal: billing
              labels: { env: prod }
              risk_tags: [egress]
              payload: { command: [ls], nested: { number: 1.5, flag: true, none: null } }
              workflow_id: nightly
              attempt: 2
            expect:
              verdict: REQUIRE_APPROVAL
              rules: [a]
              reason: because
              constraints: { allowed_hosts: [a.example], allowed_commands: [git], timeout_ms: 5, max_output_bytes: 5 }
              approval: { groups: { sre: 2 }, exclude: [requester], decide_within: 1h, use_within: 30s, covers: retries,
                  on_policy_change: invalidate }
          - { name: another, job: { topic: test.run, principal: ci }, expect: { verdict: DENY, constraints: {}, approval: {} } }
        """;

    public static JsonNode Of(string name) =>
        Parse(
            name switch
            {
                "rules" => Rules,
                "topics" => Topics,
                "cases" => Cases,
                _ => throw new ArgumentOutOfRangeException(nameof(name), name, "no such format"),
            }
        );

    private static JsonNode Parse(string yaml)
    {
        ErrorList errors = new();
        var root = YamlReader.Read(new BundleFile("sample.yaml", Encoding.UTF8.GetBytes(yaml)), errors).Root;
        var document = JsonNode.Parse(YamlJson.Write(root!, errors))!;
        Assert.Empty(errors.Errors);
        return document;
    }
}
