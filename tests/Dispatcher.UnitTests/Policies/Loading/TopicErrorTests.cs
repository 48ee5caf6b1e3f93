namespace Dispatcher.UnitTests.Policies.Loading;

/// <summary>Errors in the registry.</summary>
public class TopicErrorTests
{
    [Theory]
    [InlineData("risc: low", "unknown_key")]
    [InlineData("risk: severe", "bad_value")]
    [InlineData("idempotent: no", "bad_value")]
    [InlineData("max_attempts: 0", "bad_value")]
    [InlineData("timeouts: {run: 25h}", "bad_value")]
    [InlineData("timeouts: {run: 99}", "bad_value")]
    [InlineData("timeouts: {heartbeat: 0s}", "bad_value")]
    [InlineData("timeouts: {run: 26m}", "bad_value")]
    [InlineData("timeouts: {overall: 169h}", "bad_value")]
    [InlineData("timeouts: {rum: 1s}", "unknown_key")]
    [InlineData("tags: [a]", "wrong_kind")]
    [InlineData("labels: {env: {values: [1]}}", "not_text")]
    [InlineData("labels: {env: {values: []}}", "empty")]
    [InlineData("labels: {env: {absent: yes_match}}", "bad_value")]
    [InlineData("labels: {env: {source: worker}}", "bad_value")]
    [InlineData("labels: {env: {source: payload}}", "missing_key")]
    [InlineData("labels: {env: {derive: {path: /a, table: []}}}", "no_effect")]
    [InlineData("labels: {env: {source: payload, derive: {path: a, table: []}}}", "bad_value")]
    [InlineData("labels: {env: {source: payload, derive: {path: /a, table: [{value: x}]}}}", "bad_value")]
    [InlineData("labels: {env: {source: payload, derive: {path: /a, table: [{exact: [a], prefix: [a], value: x}]}}}", "bad_value")]
    [InlineData("labels: {env: {source: payload, derive: {path: /a, table: [{prefix: [], value: x}]}}}", "empty")]
    [InlineData("labels: {env: {source: payload, derive: {path: /a, table: [{prefix: [a]}]}}}", "missing_key")]
    [InlineData("labels: {env: {values: [x], source: payload, derive: {path: /a, table: [{prefix: [a], value: z}]}}}", "bad_value")]
    [InlineData("labels: {env: {values: [x], source: payload, derive: {path: /a, table: [], default: z}}}", "bad_value")]
    public void Bad_topic_does_not_load(string entry, string code)
    {
        var error = Assert.Single(ABundle.WithRules().AndTopic(entry).Load().Errors);

        Assert.Equal(code, error.Code);
        Assert.Equal("topics.yaml:5", error.Where);
    }

    [Theory]
    [InlineData("pools: {main: {}}\ntopics: {test.run: {pool: mian, owner: team}}", "unknown_pool")]
    [InlineData("pools: {main: {}}\ntopics: {test.run: {pool: main}}", "missing_key")]
    [InlineData("pools: {main: {}}\ntopics: {test.run: {owner: team}}", "missing_key")]
    [InlineData("pools: {main: {}}\ntopics: {test: {pool: main, owner: team}}", "bad_value")]
    [InlineData("pools: {main: {}}\ntopics: {test.run: {pool: main, owner: The Team}}", "bad_value")]
    [InlineData("pools: {main: {enforcers: [timeout]}}\ntopics: {test.run: {pool: main, owner: team}}", "unknown_constraint")]
    [InlineData("pools: {Main Pool: {}}\ntopics: {}", "bad_value")]
    [InlineData("topics: {}", "missing_key")]
    public void Bad_registry_does_not_load(string text, string code) =>
        Assert.Contains(
            ABundle.WithFiles(("rules/a.yaml", BundleErrors.Rules), ("topics.yaml", "version: v1\n" + text)).Load().Errors,
            error => error.Code == code
        );
}
