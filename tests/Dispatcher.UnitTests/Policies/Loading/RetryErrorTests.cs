namespace Dispatcher.UnitTests.Policies.Loading;

/// <summary>The settings of a topic for attempts and faults, and their errors.</summary>
public sealed class RetryErrorTests
{
    [Theory]
    [InlineData("backoff: {first: 0ms}", "bad_value")]
    [InlineData("backoff: {first: 61m}", "bad_value")]
    [InlineData("backoff: {first: 2s, most: 1s}", "bad_value")]
    [InlineData("backoff: {most: 999ms}", "bad_value")]
    [InlineData("backoff: {least: 1s}", "unknown_key")]
    [InlineData("faults: {transient: ['a b']}", "bad_value")]
    [InlineData("faults: {transient: ['*']}", "bad_value")]
    [InlineData("faults: {transient: ['a*b']}", "bad_value")]
    [InlineData("faults: {transient: 'http:500'}", "wrong_kind")]
    [InlineData("faults: {transient: ['http:500'], terminal: ['http:500']}", "duplicate_key")]
    [InlineData("faults: {unknown: ['http:500']}", "unknown_key")]
    public void Bad_retry_setting_does_not_load(string entry, string code)
    {
        var error = Assert.Single(ABundle.WithRules().AndTopic(entry).Load().Errors);

        Assert.Equal((code, "topics.yaml:5"), (error.Code, error.Where));
    }
}
