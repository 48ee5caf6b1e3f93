using Dispatcher.Gates;
using Dispatcher.Storing;
using Dispatcher.UnitTests.Hosting;

namespace Dispatcher.UnitTests.Gates;

/// <summary>A gate that cannot know blocks, and says why.</summary>
public sealed class GateTests
{
    [Theory]
    [InlineData("1s", 1)]
    [InlineData("10m", 600)]
    [InlineData("24h", 86_400)]
    [InlineData("1440m", 86_400)]
    public void A_window_is_a_number_of_seconds_minutes_or_hours(string text, int seconds) => Assert.Equal((TimeSpan.FromSeconds(seconds), null), GateWindow.Read(text));

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
    [InlineData("25h")]
    [InlineData("86401s")]
    [InlineData("99999999999999h")]
    [InlineData("٣m")]
    public async Task Any_other_window_blocks(string? text)
    {
        Assert.Null(GateWindow.Read(text).Window);
        await using var server = await AServer.MigratedAsync();
        await server.Get<StoreClock>().OnceAsync(Stop);

        foreach (var (metric, blocking) in new[] { (GateMetric.HighRiskUnapproved, "1"), (GateMetric.SuccessRate, "0"), (GateMetric.P95LatencyMs, "2147483647") })
        {
            var answer = await server.Get<GateMetrics>().AskAsync(metric, text, Stop);
            Assert.Equal(blocking, answer.Text);
            Assert.Contains("window", answer.NoData, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Without_a_clock_to_trust_or_a_job_or_a_table_every_answer_blocks()
    {
        await using var server = await AServer.MigratedAsync();
        Assert.Equal(["1 the database", "0 the database", "2147483647 the database"], await AskAllAsync(server));

        await server.Get<StoreClock>().OnceAsync(Stop);
        Assert.Equal(["1 no job", "0 no job", "2147483647 no job"], await AskAllAsync(server));

        await using (var db = await server.DatabaseAsync())
        {
            await Microsoft.EntityFrameworkCore.RelationalDatabaseFacadeExtensions.ExecuteSqlRawAsync(db.Database, "drop table jobs", Stop);
        }

        Assert.Equal(["1 the store", "0 the store", "2147483647 the store"], await AskAllAsync(server, "11m"));
    }

    [Fact]
    public async Task The_route_answers_with_a_number_and_headers_whatever_is_asked()
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
            var answer = await server.Get<GateMetrics>().AskAsync(metric, window, Stop);
            answers.Add($"{answer.Text} {string.Join(' ', answer.NoData!.Split(' ').Take(2))}");
        }

        return answers;
    }

    private static CancellationToken Stop => TestContext.Current.CancellationToken;
}
