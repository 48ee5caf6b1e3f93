using Dispatcher.Audit.Gates;
using Dispatcher.Audit.Sealing;
using Dispatcher.Storage;
using Dispatcher.UnitTests.Hosting;
using Microsoft.Extensions.Time.Testing;

namespace Dispatcher.UnitTests.Audit.Gates;

/// <summary>A gate metric that was not measured blocks, and states why.</summary>
public sealed class GateTests
{
    [Theory]
    [InlineData("5m", 300)]
    [InlineData("10m", 600)]
    [InlineData("600s", 600)]
    [InlineData("1h", 3_600)]
    [InlineData("24h", 86_400)]
    [InlineData("1440m", 86_400)]
    public void Allowed_window_is_read_in_seconds_minutes_or_hours(string text, int seconds) =>
        Assert.Equal((TimeSpan.FromSeconds(seconds), null), GateWindow.Read(text));

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("10")]
    [InlineData("m")]
    [InlineData("0m")]
    [InlineData("-1m")]
    [InlineData("+1m")]
    [InlineData(" 1m")]
    [InlineData("1.5h")]
    [InlineData("10m,10m")]
    [InlineData("1s")]
    [InlineData("11m")]
    [InlineData("599s")]
    [InlineData("23h")]
    [InlineData("25h")]
    [InlineData("86401s")]
    [InlineData("99999999999999h")]
    [InlineData("٣m")]
    public async Task Unknown_window_blocks(string? text)
    {
        Assert.Null(GateWindow.Read(text).Window);
        await using var server = await AServer.MigratedAsync();
        await server.Get<StoreClock>().OnceAsync(Stop);

        foreach (
            var (metric, blocking) in new[]
            {
                (GateMetric.HighRiskUnapproved, "1"),
                (GateMetric.SuccessRate, "0"),
                (GateMetric.P95LatencyMs, "2147483647"),
            }
        )
        {
            var answer = await server.Get<GateMetrics>().AnswerAsync(metric, text, Stop);
            Assert.Equal((blocking, null), (answer.Text, answer.Age));
            Assert.Contains("allowed: 5m, 10m, 15m, 1h, 6h, 24h", answer.NoData, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Every_answer_blocks_without_a_trusted_clock_a_job_or_a_table()
    {
        await using var server = await AServer.MigratedAsync();
        Assert.Equal(["1 the database", "0 the database", "2147483647 the database"], await AskAllAsync(server));

        await server.Get<StoreClock>().OnceAsync(Stop);
        Assert.Equal(["1 no job", "0 no job", "2147483647 no job"], await AskAllAsync(server));

        await using (var db = await server.DatabaseAsync())
        {
            await Microsoft.EntityFrameworkCore.RelationalDatabaseFacadeExtensions.ExecuteSqlRawAsync(db.Database, "drop table jobs", Stop);
        }

        Assert.Equal(["1 the store", "0 the store", "2147483647 the store"], await AskAllAsync(server, "15m"));
    }

    [Fact]
    public async Task Route_always_answers_with_a_number_and_headers()
    {
        await using var server = await AServer.MigratedAsync();

        foreach (var (route, blocking) in new[] { ("high-risk-unapproved", "1"), ("success-rate", "0"), ("p95-latency-ms", "2147483647") })
        {
            Assert.Equal(blocking, await server.TextAsync("/metrics/" + route));
        }
    }

    private static async Task<IEnumerable<string>> AskAllAsync(AServer server, string window = "10m")
    {
        var answers = new List<string>();
        foreach (var metric in Enum.GetValues<GateMetric>())
        {
            var answer = await AskAsync(server.Get<GateMetrics>(), metric, window);
            answers.Add($"{answer.Text} {string.Join(' ', answer.NoData!.Split(' ').Take(2))}");
        }

        return answers;
    }

    [Fact]
    public async Task Concurrent_requests_share_one_computation_and_get_its_age()
    {
        await using var server = await AServer.MigratedAsync();
        await server.Get<StoreClock>().OnceAsync(Stop);
        var gates = server.Get<GateMetrics>();

        var callers = Enumerable.Range(0, 200).Select(_ => gates.AnswerAsync(GateMetric.SuccessRate, "10m", Stop)).ToList();
        await gates.OnceAsync(Stop);
        var answers = await Task.WhenAll(callers);

        // Without the table the store cannot answer: this answer comes from memory.
        await using (var db = await server.DatabaseAsync())
        {
            await Microsoft.EntityFrameworkCore.RelationalDatabaseFacadeExtensions.ExecuteSqlRawAsync(db.Database, "drop table jobs", Stop);
        }

        Assert.All(
            answers.Append(await gates.AnswerAsync(GateMetric.SuccessRate, "10m", Stop)),
            answer => Assert.Equal("no job in the window", answer.NoData)
        );
        Assert.All(answers, answer => Assert.NotNull(answer.Age));
    }

    [Fact]
    public async Task Number_that_is_too_old_is_not_returned()
    {
        await using var server = await AServer.MigratedAsync();
        await server.Get<StoreClock>().OnceAsync(Stop);
        var time = new FakeTimeProvider();
        using var gates = new GateMetrics(
            server.Get<GateQueries>(),
            server.Get<Sealer>(),
            server.Get<StoreClock>(),
            time,
            server.Get<ILogger<GateMetrics>>()
        );
        var first = await AskAsync(gates, GateMetric.SuccessRate, "10m");

        time.Advance(TimeSpan.FromSeconds(25));
        var remembered = await gates.AnswerAsync(GateMetric.SuccessRate, "10m", Stop);
        time.Advance(TimeSpan.FromSeconds(6));
        var waiting = gates.AnswerAsync(GateMetric.SuccessRate, "10m", Stop);

        Assert.Equal("no job in the window", first.NoData);
        Assert.Equal(TimeSpan.FromSeconds(25), remembered.Age);
        Assert.False(waiting.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(("0", "the number is not computed yet; ask again in some seconds"), ((await waiting).Text, (await waiting).NoData));
    }

    /// <summary>Requests the number and runs the loop once.</summary>
    private static async Task<GateAnswer> AskAsync(GateMetrics gates, GateMetric metric, string window)
    {
        var answer = gates.AnswerAsync(metric, window, Stop);
        await gates.OnceAsync(Stop);
        return await answer;
    }

    private static CancellationToken Stop => TestContext.Current.CancellationToken;
}
