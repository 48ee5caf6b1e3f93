using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.JourneyTests.Staging;
using Dispatcher.Policies;
using Dispatcher.Policies.Files;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace Dispatcher.JourneyTests;

/// <summary>The policy changes while jobs stream.</summary>
public sealed class ReloadJourneys
{
    private const string HalfWritten = "version: v1\nrules:\n  - { id: run-once, match: { topic: job.te";
    private const string UnknownKey = "  - { id: odd, match: { topic: job.test.once }, decison: DENY }\n";

    /// <summary>How often the file is edited: <c>DISPATCHER_TEST_EDITS</c>, else what fits a quick run.</summary>
    private static int Edits => Journey.Number("DISPATCHER_TEST_EDITS", 6);

    /// <summary>How many jobs stream in: <c>DISPATCHER_TEST_RATE</c> a second, else what a busy machine bears.</summary>
    private static int JobsPerSecond => Journey.Number("DISPATCHER_TEST_RATE", 50);

    [Fact]
    public async Task Each_decision_is_by_the_bundle_in_force_while_a_shared_folder_is_edited()
    {
        await using var journey = await Journey.BeginAsync();
        var (first, second) = await journey.TwoDispatchersAsync();
        await journey.CountingWorkerAsync(first);
        var billing = await journey.ProducerAsync();
        var valid = new List<string> { await journey.Records.ActiveBundleAsync() };
        var jobs = new List<AJob>();
        using var edited = new CancellationTokenSource();
        var streaming = StreamAsync(billing, jobs, edited.Token);

        for (var edit = 1; edit <= Edits; edit++)
        {
            if (edit % 3 == 0)
            {
                BreakFolder(journey.Policies, edit / 3);
                await BothSeeAsync(broken: true, edit);
                Assert.Equal(valid[^1], await journey.Records.ActiveBundleAsync());
            }
            else
            {
                await journey.ChangePoliciesAsync($"  # edit {edit}\n");
                valid.Add(Bundle.Load(BundleFolder.Read(journey.Policies.Folder)).Bundle!.Hash);
                await BothSeeAsync(broken: false, edit);
            }
        }

        await edited.CancelAsync();
        await streaming;
        await journey.SettledAsync(jobs.Count, seconds: 60 + (jobs.Count / 50));
        Assert.Equal(jobs.Count, await journey.Records.CountAsync("succeeded", "job.test.stream"));
        Assert.Equal(valid, await journey.Records.ActivationsAsync());
        Assert.Empty(await journey.Records.DecisionsNotInForceAsync());
        await Eventually.IsAsync(
            () => jobs.All(job => billing.EventsOf(job).Count > 0),
            "every job's final event is published\n" + journey.Logs()
        );
        Assert.All(jobs, job => Assert.Equal(["succeeded"], billing.EventsOf(job)));
        await journey.EndsWellAsync();
        Assert.Equal(0, await journey.Records.CountAsync("select count(*) from processes"));

        Task BothSeeAsync(bool broken, int edit) =>
            Eventually.IsAsync(
                async () =>
                    await FolderIsBrokenAsync(first) == broken
                    && await FolderIsBrokenAsync(second) == broken
                    && await RunningAsync(first) == 2,
                () => $"both see edit {edit}, which is {(broken ? "broken" : "valid")}\n" + journey.Logs(),
                TimeSpan.FromSeconds(20)
            );
    }

    [Fact]
    public async Task Pin_outlives_edits_and_restarts_and_ends_with_unpin()
    {
        await using var journey = await Journey.BeginAsync();
        await using var listener = await journey.ConnectAsync("dispatcher");
        var dispatcher = await journey.DispatcherProcessAsync();
        var activated = await ListenAsync(listener);
        var first = await journey.Records.ActiveBundleAsync();
        await journey.ChangePoliciesAsync("  # second\n");
        var second = await journey.Records.ActiveBundleAsync();

        Assert.Equal(HttpStatusCode.OK, (await dispatcher.PinAsync(first[..8])).Status);
        Assert.Equal(first, await journey.Records.ActiveBundleAsync());
        journey.Policies.Write("  # third\n");
        var third = Bundle.Load(BundleFolder.Read(journey.Policies.Folder)).Bundle!.Hash;
        await Eventually.IsAsync(
            () => dispatcher.Log.Contains(third, StringComparison.Ordinal),
            "the log names the bundle of the folder and the pin"
        );
        Assert.Equal(first, await journey.Records.ActiveBundleAsync());

        await dispatcher.KillAsync();
        var restarted = await journey.DispatcherAsync();
        var shown = await restarted.PoliciesAsync();
        Assert.Equal(
            (first, true, "admin"),
            (
                shown.GetProperty("in_force").GetProperty("hash").GetString(),
                shown.GetProperty("in_force").GetProperty("pinned").GetBoolean(),
                shown.GetProperty("in_force").GetProperty("actor").GetString()
            )
        );
        Assert.Equal(third, shown.GetProperty("folder").GetProperty("hash").GetString());

        var (status, unpinned) = await restarted.UnpinAsync();

        Assert.Equal((HttpStatusCode.OK, third), (status, unpinned.GetProperty("in_force").GetProperty("hash").GetString()));
        Assert.Equal([first, second, first, third], await journey.Records.ActivationsAsync());
        await Eventually.IsAsync(() => activated.Count == 3, "each activation is published\n" + journey.Logs());
        string[] expected =
        [
            $"policy_activated.policy-folder.policy {second}",
            $"policy_activated.admin.policy {first}",
            $"policy_activated.admin.policy {third}",
        ];
        Assert.Equal(expected.Order(StringComparer.Ordinal), activated.Order(StringComparer.Ordinal));
        await listener.CloseAsync(TestContext.Current.CancellationToken);
        await journey.EndsWellAsync();
    }

    private static async Task StreamAsync(Producer producer, List<AJob> jobs, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            var some = Enumerable.Range(0, JobsPerSecond / 10).Select(_ => AJob.On("job.test.stream")).ToList();
            await producer.PublishAsync(some);
            jobs.AddRange(some);
            await Task.Delay(TimeSpan.FromMilliseconds(100), stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static void BreakFolder(PolicyDraft policies, int how)
    {
        switch (how % 3)
        {
            case 0:
                policies.Replace(Path.Combine("rules", "test.yaml"), HalfWritten);
                break;
            case 1:
                policies.Write(UnknownKey);
                break;
            default:
                File.Delete(Path.Combine(policies.Folder, "topics.yaml"));
                break;
        }
    }

    private static async Task<bool> FolderIsBrokenAsync(DispatcherServer dispatcher) =>
        (await dispatcher.PoliciesAsync()).GetProperty("folder").GetProperty("errors").GetArrayLength() > 0;

    private static async Task<int> RunningAsync(DispatcherServer dispatcher) =>
        (await dispatcher.PoliciesAsync())
            .GetProperty("processes")
            .EnumerateArray()
            .Count(process => !process.GetProperty("stale").GetBoolean());

    /// <summary>Routing key and hash of each activation event from now on.</summary>
    private static async Task<ConcurrentBag<string>> ListenAsync(IConnection connection)
    {
        var stop = TestContext.Current.CancellationToken;
        var told = new ConcurrentBag<string>();
        var channel = await connection.CreateChannelAsync(cancellationToken: stop);
        var queue = (await channel.QueueDeclareAsync(cancellationToken: stop)).QueueName;
        await channel.QueueBindAsync(queue, Exchanges.Events, "policy_activated.#", cancellationToken: stop);
        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.ReceivedAsync += (_, message) =>
        {
            told.Add($"{message.RoutingKey} {JsonSerializer.Deserialize(message.Body.Span, WireJson.Default.JobEvent)!.PolicyHash}");
            return Task.CompletedTask;
        };
        await channel.BasicConsumeAsync(queue, autoAck: true, consumer, stop);
        return told;
    }
}
