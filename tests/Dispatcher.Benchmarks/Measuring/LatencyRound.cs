using System.Diagnostics;
using System.Net.Http.Headers;
using Dispatcher.Benchmarks.Children;
using Dispatcher.Benchmarks.Contestants;
using Dispatcher.Benchmarks.Staging;

namespace Dispatcher.Benchmarks.Measuring;

/// <summary>One round of one contestant at a fixed rate: from publish to the final event, and over HTTP from request to answer.</summary>
internal static class LatencyRound
{
    public const string EndP50 = "end p50 ms";
    public const string EndP99 = "end p99 ms";
    public const string HttpP50 = "HTTP submit p50 ms";
    public const string HttpP99 = "HTTP submit p99 ms";

    public static readonly string[] Measures = [EndP50, EndP99, HttpP50, HttpP99];

    private static readonly TimeSpan LongestEnd = TimeSpan.FromSeconds(30);

    public static async Task<Dictionary<string, double>> RunAsync(
        Stage stage,
        Contestant contestant,
        LatencyLoad load,
        int warmUp,
        CancellationToken cancellationToken
    )
    {
        await using var running = await contestant.StartAsync(stage, true, cancellationToken);
        await using var publisher = await JobPublisher.ConnectAsync(stage, running, cancellationToken);
        await publisher.RunAsync(warmUp, cancellationToken);
        await using var listener = await EventListener.ConnectAsync(stage, cancellationToken);

        // Unmeasured: the code that runs at this rate is not all the code that runs under load.
        await EndToEndAsync(publisher, listener, load with { Seconds = Math.Min(load.Seconds, 3) }, cancellationToken);
        var values = new Dictionary<string, double>();
        AddQuantiles(values, EndP50, EndP99, await EndToEndAsync(publisher, listener, load, cancellationToken));
        if (running.Http is { } http)
        {
            await SubmitAsync(http, running, load with { Seconds = Math.Min(load.Seconds, 3) }, cancellationToken);
            AddQuantiles(values, HttpP50, HttpP99, await SubmitAsync(http, running, load, cancellationToken));
        }

        return values;
    }

    private static async Task<double[]> EndToEndAsync(
        JobPublisher publisher,
        EventListener listener,
        LatencyLoad load,
        CancellationToken cancellationToken
    )
    {
        var published = new List<(Guid JobId, long At)>();
        await AtRateAsync(
            load,
            () =>
            {
                var jobId = Guid.CreateVersion7();
                published.Add((jobId, Stopwatch.GetTimestamp()));
                return publisher.PublishAsync(jobId, cancellationToken);
            },
            cancellationToken
        );
        var waiting = Stopwatch.StartNew();
        while (published.Any(job => listener.ArrivalOf(job.JobId) is null))
        {
            if (waiting.Elapsed > LongestEnd)
            {
                var missing = published.Count(job => listener.ArrivalOf(job.JobId) is null);
                throw new TimeoutException($"{missing} of {published.Count} jobs have no final event after {LongestEnd.TotalSeconds} s.");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20), cancellationToken);
        }

        return [.. published.Select(job => Milliseconds(job.At, listener.ArrivalOf(job.JobId)!.Value))];
    }

    private static async Task<double[]> SubmitAsync(
        HttpClient http,
        RunningContestant running,
        LatencyLoad load,
        CancellationToken cancellationToken
    )
    {
        var latencies = new List<double>();
        var number = 0;
        await AtRateAsync(
            load,
            async () =>
            {
                using var body = new ByteArrayContent(SubmittedJob.Body(Guid.CreateVersion7(), running.Topic(0), number++));
                body.Headers.ContentType = new MediaTypeHeaderValue("application/json");
                var start = Stopwatch.GetTimestamp();
                using var answer = await http.PostAsync(new Uri("/api/jobs", UriKind.Relative), body, cancellationToken);
                answer.EnsureSuccessStatusCode();
                lock (latencies)
                {
                    latencies.Add(Milliseconds(start, Stopwatch.GetTimestamp()));
                }
            },
            cancellationToken
        );
        return [.. latencies];
    }

    /// <summary>Starts each call at its time, whether or not earlier ones have ended: a slow answer must not lower the rate.</summary>
    private static async Task AtRateAsync(LatencyLoad load, Func<Task> call, CancellationToken cancellationToken)
    {
        var calls = new List<Task>();
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < load.Rate * load.Seconds; i++)
        {
            var wait = TimeSpan.FromSeconds((double)i / load.Rate) - Stopwatch.GetElapsedTime(start);
            if (wait > TimeSpan.Zero)
            {
                await Task.Delay(wait, cancellationToken);
            }

            calls.Add(call());
        }

        await Task.WhenAll(calls);
    }

    private static void AddQuantiles(Dictionary<string, double> values, string p50, string p99, double[] latencies)
    {
        Array.Sort(latencies);
        values[p50] = latencies[(int)(0.50 * (latencies.Length - 1))];
        values[p99] = latencies[(int)(0.99 * (latencies.Length - 1))];
    }

    private static double Milliseconds(long from, long to) => Stopwatch.GetElapsedTime(from, to).TotalMilliseconds;
}

/// <param name="Rate">Jobs a second.</param>
/// <param name="Seconds">For how long, in each round.</param>
internal sealed record LatencyLoad(int Rate, int Seconds);
