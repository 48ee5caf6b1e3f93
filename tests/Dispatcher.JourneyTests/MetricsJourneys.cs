using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>The numbers of <c>GET /metrics</c> are those of the store.</summary>
public sealed partial class MetricsJourneys
{
    [Fact]
    public async Task Metrics_agree_with_the_store_after_a_burst()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherProcessAsync();
        await journey.CountingWorkerAsync(dispatcher, concurrency: 64);
        var billing = await journey.ProducerAsync();
        var jobs = Enumerable.Range(0, Journey.Jobs(2_000)).Select(Mixed).ToList();
        var repeated = jobs.Where((_, i) => i % 10 == 0).ToList();

        await billing.PublishAsync(jobs);
        await journey.SettledAsync(jobs.Count(job => job.Topic != "job.test.denied"));
        await billing.PublishAsync(repeated);
        await billing.PublishAsync([jobs[0].Parcel() with { Body = [1, 2, 3] }]);

        var stored = await journey.Records.CountAsync("select (select count(*) from jobs) + (select count(*) from denials)");
        var attempts = await journey.Records.CountAsync("select count(*) from timeline where kind = 'claimed'");
        var expected = new Dictionary<string, long>
        {
            ["""dispatcher_jobs_submitted_total{channel="amqp",outcome="stored"}"""] = stored,
            ["""dispatcher_jobs_submitted_total{channel="amqp",outcome="known"}"""] = repeated.Count,
            ["""dispatcher_jobs_submitted_total{channel="amqp",outcome="malformed"}"""] = 1,
            ["""dispatcher_jobs_hop_duration_seconds_count{hop="intake"}"""] = stored + repeated.Count + 1,
            ["""dispatcher_jobs_hop_duration_seconds_count{hop="backlog"}"""] = await DispatchesAsync(journey),
            ["""dispatcher_jobs_hop_duration_seconds_count{hop="claim"}"""] = attempts,
            ["""dispatcher_jobs_hop_duration_seconds_count{hop="run"}"""] = attempts,
            ["""dispatcher_jobs_states_total{state="dispatched"}"""] = await DispatchesAsync(journey),
            ["""dispatcher_jobs_states_total{state="running"}"""] = attempts,
            ["""dispatcher_commit_batch_sum{hop="intake"}"""] = stored,
            ["""dispatcher_attempts_ended_total{how="succeeded",pool="test"}"""] = await InStateAsync(journey, "succeeded"),
            ["""dispatcher_attempts_ended_total{how="terminal",pool="test"}"""] = await InStateAsync(journey, "dead_lettered"),
            ["""dispatcher_dead_letters_open{owner="testers"}"""] = await InStateAsync(journey, "dead_lettered"),
            ["""dispatcher_dead_letters_open{owner="dispatcher"}"""] = 1,
            ["""dispatcher_approvals_waiting"""] = await InStateAsync(journey, "held"),
            ["""dispatcher_pool_waiting{pool="test"}"""] = 0,
            ["""dispatcher_outbox_messages"""] = 0,
            ["""dispatcher_ready"""] = 1,
            ["""dispatcher_check{check="store"}"""] = 1,
            [$$"""dispatcher_policy_bundle{hash="{{await journey.Records.ActiveBundleAsync()}}"}"""] = 1,
        };
        foreach (var state in new[] { "succeeded", "dead_lettered", "held" })
        {
            expected[$$"""dispatcher_jobs_states_total{state="{{state}}"}"""] = await InStateAsync(journey, state);
        }

        foreach (var state in new[] { "succeeded", "dead_lettered" })
        {
            expected[$$"""dispatcher_jobs_duration_seconds_count{state="{{state}}"}"""] = await InStateAsync(journey, state);
        }

        expected["""dispatcher_jobs_states_total{state="denied"}"""] = await journey.Records.CountAsync("select count(*) from denials");
        var wrong = new List<string>();
        await Eventually.IsAsync(
            async () =>
            {
                var seen = await MetricsAsync(dispatcher);
                wrong =
                [
                    .. expected
                        .Where(one => seen.GetValueOrDefault(one.Key, -1) != one.Value)
                        .Select(one => $"{one.Key}: {seen.GetValueOrDefault(one.Key, -1)}, store {one.Value}"),
                ];
                return wrong.Count == 0;
            },
            () => $"the metrics agree with the store:\n{string.Join('\n', wrong)}\n{journey.Logs()}",
            TimeSpan.FromSeconds(40)
        );
        Assert.True(attempts >= jobs.Count / 2, $"only {attempts} attempts ran");
        await journey.EndsWellAsync(expectedDeadLetters: (int)await InStateAsync(journey, "dead_lettered") + 1);
    }

    private static AJob Mixed(int i) =>
        (i % 10) switch
        {
            7 => AJob.On("job.test.denied"),
            8 => AJob.On("job.test.held"),
            9 => AJob.On("job.test.faulty").With(new JsonObject { ["fault"] = "terminal" }),
            _ => AJob.On("job.test.once"),
        };

    private static Task<long> InStateAsync(Journey journey, string state) =>
        journey.Records.CountAsync($"select count(*) from jobs where state = '{state}'");

    private static Task<long> DispatchesAsync(Journey journey) =>
        journey.Records.CountAsync("select count(*) from timeline where kind = 'dispatched'");

    /// <summary>Each series with its value. The time that a line may end with is left out.</summary>
    private static async Task<Dictionary<string, double>> MetricsAsync(DispatcherServer dispatcher)
    {
        using var client = dispatcher.Client("none");
        var text = await client.GetStringAsync(new Uri("/metrics", UriKind.Relative), TestContext.Current.CancellationToken);
        return Series()
            .Matches(text)
            .ToDictionary(
                line => line.Groups[1].Value.Replace("{}", "", StringComparison.Ordinal),
                line => double.Parse(line.Groups[2].Value, CultureInfo.InvariantCulture)
            );
    }

    [GeneratedRegex(@"(?m)^(\w+(?:\{[^}]*\})?) (\S+)")]
    private static partial Regex Series();
}
