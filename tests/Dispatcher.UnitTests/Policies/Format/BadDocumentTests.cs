using Dispatcher.Policies.Files;

namespace Dispatcher.UnitTests.Policies.Format;

/// <summary>Mistakes that authors make: the editor underlines them and loading refuses them.</summary>
public sealed class BadDocumentTests
{
    [Theory]
    [InlineData("id: a, match: { topic: a.b }")]
    [InlineData("id: a, decision: DENY")]
    [InlineData("match: { topic: a.b }, decision: DENY")]
    [InlineData("id: a b, match: { topic: a.b }, decision: DENY")]
    [InlineData("id: a, match: {}, decision: DENY")]
    [InlineData("id: a, match: { topic: a..b }, decision: DENY")]
    [InlineData("id: a, match: { topic: 'a.**.b' }, decision: DENY")]
    [InlineData("id: a, match: { topic: A.b }, decision: DENY")]
    [InlineData("id: a, match: { labels: {} }, decision: DENY")]
    [InlineData("id: a, match: { labels: { env: [] } }, decision: DENY")]
    [InlineData("id: a, match: { labels: { tier: 1 } }, decision: DENY")]
    [InlineData("id: a, match: { labels: { gold: true } }, decision: DENY")]
    [InlineData("id: a, match: { labels: { env: { not: prod, exists: true } } }, decision: DENY")]
    [InlineData("id: a, match: { labels: { env: { exists: 'true' } } }, decision: DENY")]
    [InlineData("id: a, match: { risk_tags: egress }, decision: DENY")]
    [InlineData("id: a, match: { risk_tags: { any: [a], none: [b] } }, decision: DENY")]
    [InlineData("id: a, match: { attempt_gte: 0 }, decision: DENY")]
    [InlineData("id: a, match: { unless: {} }, decision: DENY")]
    [InlineData("id: a, match: { topic: a.b }, decision: allow")]
    [InlineData("id: a, match: { topic: a.b }, decision: ALLOW_WITH_CONSTRAINTS")]
    [InlineData("id: a, match: { topic: a.b }, decision: ALLOW_WITH_CONSTRAINTS, constraints: {}")]
    [InlineData("id: a, match: { topic: a.b }, decision: ALLOW, constraints: { timeout_ms: 5 }")]
    [InlineData("id: a, match: { topic: a.b }, decision: DENY, approval: {}")]
    [InlineData("id: a, match: { topic: a.b }, decision: ALLOW_WITH_CONSTRAINTS, constraints: { timeout_ms: 5 }, approval: {}")]
    [InlineData("id: a, match: { topic: a.b }, decision: REQUIRE_APPROVAL, constraints: { timeout_ms: 86400001 }")]
    [InlineData("id: a, match: { topic: a.b }, decision: REQUIRE_APPROVAL, constraints: { timeout_ms: '5' }")]
    [InlineData("id: a, match: { topic: a.b }, decision: REQUIRE_APPROVAL, constraints: { allowed_hosts: ['https://a.example'] }")]
    [InlineData("id: a, match: { topic: a.b }, decision: REQUIRE_APPROVAL, constraints: { allowed_hosts: ['*.example'] }")]
    [InlineData("id: a, match: { topic: a.b }, decision: REQUIRE_APPROVAL, constraints: { max_output_bytes: 1048577 }")]
    [InlineData("id: a, match: { topic: a.b }, decision: REQUIRE_APPROVAL, approval: { groups: { sre: 11 } }")]
    [InlineData("id: a, match: { topic: a.b }, decision: REQUIRE_APPROVAL, approval: { groups: [sre] }")]
    [InlineData("id: a, match: { topic: a.b }, decision: REQUIRE_APPROVAL, approval: { use_within: 1 hour }")]
    [InlineData("id: a, match: { topic: a.b }, decision: REQUIRE_APPROVAL, approval: { covers: all }")]
    [InlineData("id: a, match: { topic: a.b }, decision: REQUIRE_APPROVAL, approval: { on_policy_change: keep }")]
    [InlineData("id: a, match: { topic: a.b }, decision: DENY, review_by: 1.11.2026")]
    [InlineData("id: a, match: { topic: a.b }, decision: DENY, effective: { from: 2026-11-01 }")]
    [InlineData("id: a, match: { topic: a.b }, decision: DENY, owners: platform")]
    public void Bad_rule_is_refused_by_reader_and_editor_schema(string rule) =>
        RefusedByBoth("rules", $"version: v1\nrules: [ {{ {rule} }} ]");

    [Theory]
    [InlineData("owner: a")]
    [InlineData("pool: main")]
    [InlineData("pool: main, owner: A Team")]
    [InlineData("pool: main, owner: a, risk: none")]
    [InlineData("pool: main, owner: a, max_attempts: 101")]
    [InlineData("pool: main, owner: a, timeouts: { run: 120 }")]
    [InlineData("pool: main, owner: a, schema: payload.yaml")]
    [InlineData("pool: main, owner: a, tags: [egress]")]
    [InlineData("pool: main, owner: a, labels: [env]")]
    [InlineData("pool: main, owner: a, labels: { env: { values: [] } }")]
    [InlineData("pool: main, owner: a, labels: { env: { absent: deny } }")]
    [InlineData("pool: main, owner: a, labels: { env: { source: payload } }")]
    [InlineData("pool: main, owner: a, labels: { env: { derive: { path: /a, table: [] } } }")]
    [InlineData("pool: main, owner: a, labels: { env: { source: payload, derive: { path: a, table: [] } } }")]
    [InlineData(
        "pool: main, owner: a, labels: { env: { source: payload, derive: { path: /a, table: [{ exact: [a], prefix: [a], value: b }] } } }"
    )]
    [InlineData("pool: main, owner: a, labels: { env: { source: payload, derive: { path: /a, table: [{ prefix: [], value: b }] } } }")]
    [InlineData("pool: main, owner: a, labels: { env: { source: payload, derive: { path: /a, table: [{ suffix: [], value: b }] } } }")]
    [InlineData("pool: main, owner: a, labels: { env: { source: payload, derive: { path: /a, table: [{ prefix: b, value: b }] } } }")]
    [InlineData(
        "pool: main, owner: a, labels: { env: { source: payload, derive: { path: /a, table: [{ starts_with: [b], value: b }] } } }"
    )]
    [InlineData("pool: main, owner: a, labels: { env: { source: payload, derive: { path: /a, table: [{ ends_with: '', value: b }] } } }")]
    [InlineData(
        "pool: main, owner: a, labels: { env: { source: payload, derive: { path: /a, table: [{ suffix: [a], ends_with: a, value: b }] } } }"
    )]
    [InlineData("pool: main, owner: a, labels: { env: { source: payload, derive: { path: /a, after: '.', table: [] } } }")]
    [InlineData("pool: main, owner: a, labels: { env: { source: payload, derive: { path: /a, after: '@', after_last: '@', table: [] } } }")]
    [InlineData("pool: main, owner: a, labels: { env: { source: payload, derive: { path: /a, table: [{ value: b }] } } }")]
    public void Bad_topic_is_refused_by_reader_and_editor_schema(string topic) =>
        RefusedByBoth("topics", $"version: v1\npools: {{ main: {{}} }}\ntopics: {{ job.a: {{ {topic} }} }}");

    [Theory]
    [InlineData("rules", "version: v2\nrules: []")]
    [InlineData("rules", "rules: []")]
    [InlineData("rules", "version: v1\nrules: {}")]
    [InlineData("rules", "[]")]
    [InlineData("topics", "version: v1\npools: { main: {} }\ntopics: { job: { pool: main, owner: a } }")]
    [InlineData("topics", "version: v1\npools: { main: { enforcers: [timeout] } }\ntopics: {}")]
    [InlineData("topics", "version: v1\npools: { Main: {} }\ntopics: {}")]
    [InlineData("cases", "version: v1\ncases: [ { name: a, job: { topic: a.b }, expect: { verdict: DENY } } ]")]
    [InlineData("cases", "version: v1\ncases: [ { name: a, job: { topic: a.b, principal: ci }, expect: {} } ]")]
    [InlineData("cases", "version: v1\ncases: [ { name: a, job: { topic: a.b, principal: A Man }, expect: { verdict: DENY } } ]")]
    [InlineData("cases", "version: v1\ncases: [ { name: a, job: { topic: a.*, principal: ci }, expect: { verdict: DENY } } ]")]
    [InlineData(
        "cases",
        "version: v1\ncases: [ { name: a, job: { topic: a.b, principal: ci, labels: { env: [dev] } }, expect: { verdict: DENY } } ]"
    )]
    [InlineData("cases", "version: v1\ncases: [ { name: a, job: { topic: a.b, principal: ci }, at: now, expect: { verdict: DENY } } ]")]
    public void Bad_file_is_refused_by_reader_and_editor_schema(string format, string text) => RefusedByBoth(format, text);

    /// <summary>Mistakes that no editor can detect, according to README.md.</summary>
    [Theory]
    [InlineData(
        "rules",
        "version: v1\nrules: [ { id: a, match: { topic: a.b }, decision: DENY }, { id: a, match: { topic: a.b }, decision: DENY } ]"
    )]
    [InlineData(
        "rules",
        "version: v1\nrules: [ { id: a, match: { topic: a.b }, decision: REQUIRE_APPROVAL, approval: { use_within: 721h } } ]"
    )]
    [InlineData(
        "rules",
        "version: v1\nrules: [ { id: a, match: { topic: a.b }, decision: DENY, effective: { from: 2026-11-02T00:00:00Z, until: "
            + "2026-11-01T00:00:00Z } } ]"
    )]
    [InlineData("rules", "version: v1\nrules: [ { id: a, match: { topic: a.b }, decision: DENY, review_by: 2026-13-01 } ]")]
    [InlineData("topics", "version: v1\npools: { main: {} }\ntopics: { test.run: { pool: other, owner: a } }")]
    [InlineData("topics", "version: v1\npools: { main: {} }\ntopics: { test.run: { pool: main, owner: a, schema: other.json } }")]
    [InlineData("topics", "version: v1\npools: { main: {} }\ntopics: { test.run: { pool: main, owner: a, timeouts: { start: 25h } } }")]
    [InlineData(
        "topics",
        "version: v1\npools: { main: {} }\ntopics: { test.run: { pool: main, owner: a, labels: { env: { values: [dev], source: "
            + "payload, derive: { path: /a, table: [], default: prod } } } } }"
    )]
    public void Mistake_that_a_schema_cannot_express_is_refused_by_the_reader(string name, string text)
    {
        var format = BundleFormat.Of(name);

        Assert.Empty(format.SchemaErrors(text));
        Assert.Contains(format.ReaderErrors(text), error => error.Code != BundleErrorCodes.UnusedSchema);
    }

    private static void RefusedByBoth(string name, string text)
    {
        var format = BundleFormat.Of(name);

        Assert.NotEmpty(format.SchemaErrors(text));
        Assert.NotEmpty(format.ReaderErrorsOfFile(text));
    }
}
