using Dispatcher.Policies;

namespace Dispatcher.UnitTests.Policies;

public class TopicsTests
{
    [Fact]
    public void What_a_topic_leaves_out_has_a_default()
    {
        JobClass jobClass = ABundle.WithRules().Build().JobClasses["test.run"];

        Assert.Equal("high", jobClass.Risk);
        Assert.False(jobClass.Idempotent);
        Assert.Equal(3, jobClass.MaxAttempts);
        Assert.Equal(TimeSpan.FromSeconds(60), jobClass.StartWithin);
        Assert.Equal(TimeSpan.FromMinutes(2), jobClass.RunWithin);
        Assert.Equal(TimeSpan.FromSeconds(5), jobClass.HeartbeatEvery);
        Assert.Empty(jobClass.Tags);
        Assert.Empty(jobClass.OptionalTags);
        Assert.Empty(jobClass.Labels);
    }

    [Fact]
    public void A_topic_says_how_its_jobs_run()
    {
        JobClass jobClass = ABundle.WithRules()
            .AndTopic("risk: low, idempotent: true, max_attempts: 7, timeouts: {start: 15s, run: 1h, heartbeat: 250ms}, tags: {always: [b, a], optional: [c]}")
            .Build().JobClasses["test.run"];

        Assert.Equal("test.run", jobClass.Topic);
        Assert.Equal("main", jobClass.Pool);
        Assert.Equal("team", jobClass.Owner);
        Assert.Equal("low", jobClass.Risk);
        Assert.True(jobClass.Idempotent);
        Assert.Equal(7, jobClass.MaxAttempts);
        Assert.Equal(TimeSpan.FromSeconds(15), jobClass.StartWithin);
        Assert.Equal(TimeSpan.FromHours(1), jobClass.RunWithin);
        Assert.Equal(TimeSpan.FromMilliseconds(250), jobClass.HeartbeatEvery);
        Assert.Equal(["a", "b"], jobClass.Tags);
        Assert.Equal(["c"], jobClass.OptionalTags);
    }
}
