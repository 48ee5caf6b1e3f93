using System.Text.Json;
using Dispatcher.Api;
using Dispatcher.Enforcement;
using Dispatcher.Storage;
using Dispatcher.UnitTests.Hosting;
using Microsoft.EntityFrameworkCore;
using static Dispatcher.UnitTests.Api.ExplainEndpointTests;

namespace Dispatcher.UnitTests.Api;

/// <summary>Compares two bundles over HTTP, with jobs that intake accepted.</summary>
public sealed class ComparisonTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Comparison_counts_widened_and_narrowed_jobs_and_denials()
    {
        await using var server = await ServerAsync(Denying);
        await SubmitAsync(server, """{"idempotency_key":"a","topic":"test.run","labels":{"env":"dev"}}""");
        await SubmitAsync(server, """{"idempotency_key":"b","topic":"test.run","labels":{"env":"prod"}}""");

        var (_, diff) = await AskAsync(
            server,
            "/diff",
            new { old = new { hash = "active" }, @new = new { archive = Limiting.Build().Archive.ToArray() } }
        );
        var (_, same) = await AskAsync(server, "/diff", new { old = new { hash = "active" }, @new = new { hash = "active" } });

        Assert.Equal((2, 1, 1), Counts(diff));
        Assert.Equal(["DENY to ALLOW_WITH_CONSTRAINTS"], Texts(diff.GetProperty("changes")[0].GetProperty("widened")));
        Assert.Equal(
            ["ALLOW to ALLOW_WITH_CONSTRAINTS", "timeout_ms unlimited to 100"],
            Texts(diff.GetProperty("changes")[1].GetProperty("narrowed"))
        );
        Assert.Equal((2, 0, 0), Counts(same));

        static (int, int, int) Counts(JsonElement diff) =>
            (diff.GetProperty("jobs").GetInt32(), diff.GetProperty("widened").GetInt32(), diff.GetProperty("narrowed").GetInt32());

        static IEnumerable<string?> Texts(JsonElement list) => list.EnumerateArray().Select(text => text.GetString());
    }

    [Fact]
    public async Task Comparison_leaves_out_jobs_before_its_start()
    {
        await using var server = await ServerAsync(Allowing);
        await SubmitAsync(server, Job);
        await using var db = await server.DatabaseAsync();
        await db.Database.ExecuteSqlRawAsync("update jobs set created_at = created_at - 7200000000", Token);

        var (_, hour) = await AskAsync(
            server,
            "/diff",
            new
            {
                old = new { hash = "active" },
                @new = new { hash = "active" },
                since_seconds = 3600,
            }
        );
        var (_, day) = await AskAsync(
            server,
            "/diff",
            new
            {
                old = new { hash = "active" },
                @new = new { hash = "active" },
                since_seconds = 86400,
            }
        );

        Assert.Equal((0, 1), (hour.GetProperty("jobs").GetInt32(), day.GetProperty("jobs").GetInt32()));
    }

    [Theory]
    [InlineData(4, false, 4)]
    [InlineData(3, true, 3)]
    public async Task Comparison_over_the_limit_reads_the_newest_jobs_and_denials(int max, bool truncated, int read)
    {
        await using var server = await ServerAsync(Denying);
        foreach (var (key, env) in new[] { ("a", "dev"), ("b", "prod"), ("c", "dev"), ("d", "prod") })
        {
            await SubmitAsync(server, $$$"""{"idempotency_key":"{{{key}}}","topic":"test.run","labels":{"env":"{{{env}}}"}}""");
        }

        var jobs = new StoredDecisions(server.Get<IDbContextFactory<DispatcherDb>>(), server.Get<StoredBundles>(), server.Get<StoreClock>())
        {
            MaxJobs = max,
        };
        var diff = await jobs.CompareAsync(Denying.Build(), Limiting.Build(), since: 0, Token);

        // The oldest of the four is a denied one, and a denied one widens.
        Assert.Equal((truncated, read, read - 2, 2), (diff.Truncated, diff.Jobs, diff.Widened, diff.Narrowed));
        Assert.Equal(
            diff.Changes.Where(change => change.Widened.Count > 0).OrderByDescending(change => change.CreatedAt),
            diff.Changes.Where(change => change.Widened.Count > 0)
        );
    }

    [Fact]
    public async Task Comparison_refuses_a_bundle_with_its_errors()
    {
        await using var server = await ServerAsync(Allowing);

        var (status, problem) = await AskAsync(
            server,
            "/diff",
            new { old = new { hash = "active" }, @new = new { archive = "{\"v\":1,\"files\":[]}"u8.ToArray() } }
        );

        Assert.Equal(StatusCodes.Status400BadRequest, status);
        Assert.Contains("missing_file /new/archive topics.yaml", AServer.Errors(problem));
    }
}
