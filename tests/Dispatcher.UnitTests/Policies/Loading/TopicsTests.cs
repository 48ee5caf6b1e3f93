namespace Dispatcher.UnitTests.Policies.Loading;

public class TopicsTests
{
    [Fact]
    public void Missing_topic_settings_have_defaults()
    {
        var jobClass = ABundle.WithRules().Build().JobClasses["test.run"];

        Assert.Equal("high", jobClass.Risk);
        Assert.False(jobClass.Idempotent);
        Assert.Equal(3, jobClass.MaxAttempts);
        Assert.Equal(TimeSpan.FromSeconds(60), jobClass.StartWithin);
        Assert.Equal(TimeSpan.FromMinutes(2), jobClass.RunWithin);
        Assert.Equal(TimeSpan.FromSeconds(5), jobClass.HeartbeatEvery);
        Assert.Equal(TimeSpan.FromHours(24), jobClass.OverallWithin);
        Assert.Equal((TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(5)), (jobClass.FirstPause, jobClass.LongestPause));
        Assert.Null(jobClass.Faults.IsTransient("http:500", "System.TimeoutException"));
        Assert.Empty(jobClass.Tags);
        Assert.Empty(jobClass.OptionalTags);
        Assert.Empty(jobClass.Labels);
    }

    [Fact]
    public void Registry_limits_the_duration_of_a_run()
    {
        const string Long = """
            version: v1
            longest_run: 2h
            pools: { main: {} }
            topics: { test.run: { pool: main, owner: team, timeouts: { run: 2h } }, test.other: { pool: main, owner: team } }
            """;

        Assert.Equal(TimeSpan.FromHours(2), ABundle.WithRules().AndFile("topics.yaml", Long).Build().JobClasses["test.run"].RunWithin);
        Assert.Equal(TimeSpan.FromMinutes(2), ABundle.WithRules().AndFile("topics.yaml", Long).Build().JobClasses["test.other"].RunWithin);
        Assert.Contains(
            "consumer_timeout",
            Assert
                .Single(
                    ABundle
                        .WithRules()
                        .AndFile("topics.yaml", Long.Replace("longest_run: 2h", "longest_run: 1h", StringComparison.Ordinal))
                        .Load()
                        .Errors
                )
                .Fix,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Topic_configures_how_its_jobs_run()
    {
        var jobClass = ABundle
            .WithRules()
            .AndTopic(
                "risk: low, idempotent: true, max_attempts: 7, timeouts: {start: 15s, run: 20m, heartbeat: 250ms, overall: 6h}, "
                    + "backoff: {first: 20ms, most: 3s}, faults: {transient: [busy], terminal: ['gone_*']}, tags: {always: [b, a], "
                    + "optional: [c]}"
            )
            .Build()
            .JobClasses["test.run"];

        Assert.Equal("test.run", jobClass.Topic);
        Assert.Equal("main", jobClass.Pool);
        Assert.Equal("team", jobClass.Owner);
        Assert.Equal("low", jobClass.Risk);
        Assert.True(jobClass.Idempotent);
        Assert.Equal(7, jobClass.MaxAttempts);
        Assert.Equal(TimeSpan.FromSeconds(15), jobClass.StartWithin);
        Assert.Equal(TimeSpan.FromMinutes(20), jobClass.RunWithin);
        Assert.Equal(TimeSpan.FromMilliseconds(250), jobClass.HeartbeatEvery);
        Assert.Equal(TimeSpan.FromHours(6), jobClass.OverallWithin);
        Assert.Equal((TimeSpan.FromMilliseconds(20), TimeSpan.FromSeconds(3)), (jobClass.FirstPause, jobClass.LongestPause));
        Assert.Equal(
            (true, false, null),
            (jobClass.Faults.IsTransient("busy", "E"), jobClass.Faults.IsTransient("gone_1", "E"), jobClass.Faults.IsTransient(null, "E"))
        );
        Assert.Equal(["a", "b"], jobClass.Tags);
        Assert.Equal(["c"], jobClass.OptionalTags);
    }
}
