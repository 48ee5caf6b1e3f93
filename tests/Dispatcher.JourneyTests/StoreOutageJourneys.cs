using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using Dispatcher.JourneyTests.Staging;
using Npgsql;

namespace Dispatcher.JourneyTests;

/// <summary>The database takes no writes, in each of the ways it can.</summary>
public sealed class StoreOutageJourneys
{
    /// <summary>How long a client waits at most, with a margin for a busy machine.</summary>
    private static readonly TimeSpan LongestAnswer = TimeSpan.FromSeconds(5 + 5);

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Server_is_not_ready_on_a_read_only_database_and_drops_its_sessions()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        await using var owner = new NpgsqlConnection(
            new NpgsqlConnectionStringBuilder(journey.Postgres) { Database = "postgres", Pooling = false }.ConnectionString
        );
        await owner.OpenAsync(Now);

        // Sessions keep what they began with, as after a failover they keep the server that is a standby now.
        await RunAsync(owner, $"alter database {journey.Name} set default_transaction_read_only = on");
        await RunAsync(owner, $"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{journey.Name}'");
        await NotReadyAsync(dispatcher, "read-only");
        var refused = await AskAsync(dispatcher, AJob.On("job.test.once"));

        Assert.Equal(("no", true), (refused.Taken, refused.HasRetryAfter));
        await RunAsync(owner, $"alter database {journey.Name} reset default_transaction_read_only");
        await AcceptedAsync(dispatcher);
        await dispatcher.ReadyAsync();
        Assert.Equal(1, await journey.Records.CountAsync("accepted", "job.test.once"));
        await journey.CountingWorkerAsync(dispatcher);
        await journey.SettledAsync(1);
        await journey.EndsWellAsync();
    }

    [Fact]
    public async Task Submit_that_waits_for_a_lock_is_cancelled_and_never_runs()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        await using (var held = await journey.LockAsync("timeline"))
        {
            var given = await AskAsync(dispatcher, AJob.On("job.test.once"));

            Assert.Equal("no", given.Taken);
        }

        await AcceptedAsync(dispatcher);
        Assert.Equal(["1"], await journey.Records.TextsAsync("select count(*)::text from jobs"));
        await journey.CountingWorkerAsync(dispatcher);
        await journey.SettledAsync(1);
        await journey.EndsWellAsync();
    }

    [Fact]
    public async Task Client_is_answered_in_time_when_the_database_hangs()
    {
        await using var journey = await Journey.BeginAsync();
        var gate = journey.GateToDatabase();
        var dispatcher = await journey.DispatcherAsync();
        var job = AJob.On("job.test.once");
        gate.Hold();

        var given = await AskAsync(dispatcher, job);
        await NotReadyAsync(dispatcher, "does not answer");

        Assert.NotNull(given.Taken);
        gate.Release();
        Assert.Equal(HttpStatusCode.Accepted, await UntilAcceptedAsync(dispatcher, job));
        Assert.Equal(["1"], await journey.Records.TextsAsync("select count(*)::text from jobs"));
        await journey.CountingWorkerAsync(dispatcher);
        await journey.SettledAsync(1);
        await journey.EndsWellAsync();
    }

    [Fact]
    public async Task Outage_of_the_database_writes_a_few_log_lines_and_status_still_answers()
    {
        await using var journey = await Journey.BeginAsync();
        var gate = journey.GateToDatabase();
        var dispatcher = await journey.DispatcherAsync();
        await journey.CountingWorkerAsync(dispatcher);
        await (await journey.ProducerAsync()).PublishAsync([AJob.On("job.test.once")]);
        await journey.SettledAsync(1);
        var before = dispatcher.Log.Length;

        gate.Cut();
        await NotReadyAsync(dispatcher, "");
        await (await journey.ProducerAsync()).PublishAsync([AJob.On("job.test.once")]);
        var refused = await AskAsync(dispatcher, AJob.On("job.test.once"));
        Assert.Equal("no", (await AskAsync(dispatcher, AJob.On("job.test.once"))).Taken);
        var (notReady, status) = await CommandLineRun.OfAsync(
            new Dictionary<string, string> { ["DISPATCHER_API_KEY"] = DispatcherServer.AdminKey, ["DISPATCHER_URL"] = dispatcher.Address },
            "status"
        );
        await SilentForAsync(journey, seconds: 8);
        gate.Open();
        await dispatcher.ReadyAsync();
        await AcceptedAsync(dispatcher);
        await journey.SettledAsync(3);
        Assert.Equal(1, notReady);
        Assert.Matches("check store +failing", status);

        Assert.Equal("no", refused.Taken);
        var lines = dispatcher.Log[before..].Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.True(lines.Length <= 12, $"{lines.Length} lines:\n{string.Join('\n', lines)}");
        Assert.Single(lines, line => line.Contains("The database does not take writes", StringComparison.Ordinal));
        var back = Assert.Single(lines, line => line.Contains("The database takes writes again", StringComparison.Ordinal));
        Assert.InRange(FailedWrites(back), 3, int.MaxValue);
        await journey.EndsWellAsync();
    }

    private static Task NotReadyAsync(DispatcherServer dispatcher, string why) =>
        Eventually.IsAsync(
            async () =>
                await dispatcher.ReadinessAsync() is (HttpStatusCode.ServiceUnavailable, var body)
                && body.GetProperty("checks").GetProperty("store").GetString() == "failing",
            () => "the dispatcher is not ready: " + why + "\n" + dispatcher.Log,
            LongestAnswer
        );

    /// <summary>The server writes every 2 s that it runs, so that several writes have failed when the last one is so long ago.</summary>
    private static Task SilentForAsync(Journey journey, int seconds) =>
        Eventually.IsAsync(
            async () =>
                await journey.Records.CountAsync(
                    $"select count(*) from processes where seen_at > extract(epoch from clock_timestamp()) * 1e6 - {seconds}000000"
                ) == 0,
            () => $"the server has written nothing for {seconds} s",
            TimeSpan.FromSeconds(seconds + 20)
        );

    private static async Task<(string? Taken, bool HasRetryAfter)> AskAsync(DispatcherServer dispatcher, AJob job)
    {
        using var http = dispatcher.Client(DispatcherServer.AdminKey);
        using var body = new ByteArrayContent(job.Body());
        body.Headers.ContentType = new("application/json");
        http.Timeout = LongestAnswer;
        using var answer = await http.PostAsync(new Uri("/api/jobs", UriKind.Relative), body, Now);
        var problem = await answer.Content.ReadFromJsonAsync<JsonElement>(Now);
        Assert.True(answer.StatusCode == HttpStatusCode.ServiceUnavailable, $"{answer.StatusCode} {problem}\n{dispatcher.Log}");
        return (problem.TryGetProperty("taken", out var taken) ? taken.GetString() : null, answer.Headers.RetryAfter is not null);
    }

    /// <summary>A new job is taken within seconds.</summary>
    private static async Task AcceptedAsync(DispatcherServer dispatcher) =>
        Assert.Equal(HttpStatusCode.Accepted, await UntilAcceptedAsync(dispatcher, AJob.On("job.test.once")));

    private static async Task<HttpStatusCode> UntilAcceptedAsync(DispatcherServer dispatcher, AJob job)
    {
        var status = HttpStatusCode.ServiceUnavailable;
        await Eventually.IsAsync(
            async () => (status = (await dispatcher.SubmitAsync(job.Body())).Status) != HttpStatusCode.ServiceUnavailable,
            () => "the job is taken\n" + dispatcher.Log,
            TimeSpan.FromSeconds(20)
        );
        return status;
    }

    /// <summary>How many writes failed in an outage, as the log states at its end.</summary>
    private static int FailedWrites(string line) =>
        int.Parse(Regex.Match(line, "([0-9]+) writes failed meanwhile").Groups[1].Value, CultureInfo.InvariantCulture);

    private static async Task RunAsync(NpgsqlConnection connection, string sql)
    {
#pragma warning disable CA2100 // The name of the test's own database.
        await using var command = new NpgsqlCommand(sql, connection);
#pragma warning restore CA2100
        await command.ExecuteNonQueryAsync(Now);
    }
}
