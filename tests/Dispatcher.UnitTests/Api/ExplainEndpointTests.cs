using System.Text.Json;
using Dispatcher.Api;
using Dispatcher.Base;
using Dispatcher.Enforcement;
using Dispatcher.Intake;
using Dispatcher.Storage;
using Dispatcher.UnitTests.Approvals;
using Dispatcher.UnitTests.Hosting;
using Dispatcher.UnitTests.Policies;
using Dispatcher.Web;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.UnitTests.Api;

/// <summary>Explaining and comparing over HTTP, on jobs that came in through the front door.</summary>
public sealed class ExplainEndpointTests
{
    private const string Job =
        """{"job_id":"0197f3a0-7c1e-7b7a-9f53-0d4c2e6a1b11","topic":"test.run","labels":{"env":"dev"},"payload":{}}""";
    private static readonly Guid JobId = Guid.Parse("0197f3a0-7c1e-7b7a-9f53-0d4c2e6a1b11");
    internal static readonly ABundle Denying = ABundle.WithRules(
        "id: deny-dev, match: { labels: { env: dev } }, decision: DENY",
        "id: allow, match: { topic: test.run }, decision: ALLOW"
    );
    private static readonly ABundle Limiting = ABundle.WithRules(
        "id: limit, match: { topic: test.run }, decision: ALLOW_WITH_CONSTRAINTS, constraints: { timeout_ms: 100 }"
    );
    internal static readonly ABundle Allowing = ABundle.WithRules("id: allow, match: { topic: test.run }, decision: ALLOW");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_old_decision_is_explained_with_the_bundle_that_made_it(bool denied)
    {
        await using var server = await ServerAsync(denied ? Denying : Limiting);
        await SubmitAsync(server, Job);
        await ActivateAsync(server, Allowing);

        var (status, body) = await AskAsync(server, "/explain", new { job_id = JobId });

        Assert.Equal(StatusCodes.Status200OK, status);
        var decision = Assert.Single(body.GetProperty("decisions").EnumerateArray());
        var explanation = decision.GetProperty("explanation");
        Assert.True(decision.GetProperty("is_as_recorded").GetBoolean());
        Assert.Equal((denied ? Denying : Limiting).Build().Hash, explanation.GetProperty("policy_hash").GetString());
        Assert.Equal(denied ? "DENY" : "ALLOW_WITH_CONSTRAINTS", explanation.GetProperty("verdict").GetString());
        Assert.Equal(denied ? 2 : 1, explanation.GetProperty("considered").GetArrayLength());
    }

    [Theory]
    [InlineData("approve")]
    [InlineData("reject")]
    public async Task A_job_that_was_voted_on_is_explained(string verdict)
    {
        await using var stage = await VotingStage.WithAsync("id: ask, match: { topic: test.run }, decision: REQUIRE_APPROVAL");
        var held = await stage.HeldAsync();
        await stage.VoteAsync(held, verdict, stage.Ana);

        var (status, body) = await AskAsync(stage.Server, "/explain", new { job_id = held });

        Assert.Equal(StatusCodes.Status200OK, status);
        Assert.Equal(
            "held",
            Assert.Single(body.GetProperty("decisions").EnumerateArray()).GetProperty("recorded").GetProperty("kind").GetString()
        );
    }

    [Fact]
    public async Task A_changed_row_is_told_from_what_the_timeline_says()
    {
        await using var server = await ServerAsync(Denying);
        await SubmitAsync(server, Job.Replace("dev", "prod", StringComparison.Ordinal));
        await using var db = await server.DatabaseAsync();
        await db.Database.ExecuteSqlRawAsync("update jobs set labels = '{{\"env\":\"dev\"}}'", Token);

        var (_, body) = await AskAsync(server, "/explain", new { job_id = JobId });

        Assert.False(Assert.Single(body.GetProperty("decisions").EnumerateArray()).GetProperty("is_as_recorded").GetBoolean());
    }

    /// <summary>The verdict is the same, what it rests on is not.</summary>
    [Fact]
    public async Task A_changed_row_that_another_rule_allows_is_told_too()
    {
        await using var server = await ServerAsync(
            ABundle.WithRules(
                "id: a, match: { labels: { env: dev } }, decision: ALLOW",
                "id: b, match: { labels: { env: prod } }, decision: ALLOW"
            )
        );
        await SubmitAsync(server, Job);
        await using var db = await server.DatabaseAsync();
        await db.Database.ExecuteSqlRawAsync("update jobs set labels = '{{\"env\":\"prod\"}}'", Token);

        var (_, body) = await AskAsync(server, "/explain", new { job_id = JobId });

        var decision = Assert.Single(body.GetProperty("decisions").EnumerateArray());
        Assert.Equal(
            ("ALLOW", false),
            (decision.GetProperty("explanation").GetProperty("verdict").GetString(), decision.GetProperty("is_as_recorded").GetBoolean())
        );
    }

    /// <summary>Between a decision and its line on the timeline a rule may end.</summary>
    [Fact]
    public async Task A_decision_is_explained_by_the_time_it_was_made_at()
    {
        await using var server = await AServer.MigratedAsync();
        var clock = server.Get<StoreClock>();
        await clock.OnceAsync(Token);
        var end = Timestamps.At(clock.Now).AddSeconds(4);
        await ActivateAsync(
            server,
            ABundle.WithRules(
                $"id: a, match: {{ topic: test.run }}, decision: ALLOW, effective: {{ until: '{end:yyyy-MM-ddTHH:mm:ss.fffffffZ}' }}"
            )
        );
        await server.Get<IntakeWriter>().StartAsync(Token);
        var job = Dispatcher.UnitTests.AJob.ToTest().Stored with { JobId = JobId };
        var submission = Submission.Of(job, new SubmissionSource { Channel = "http", Principal = "billing" });
        var evaluated = await server.Get<PolicyGate>().EvaluateAsync(submission.Job, Hop.Intake, Token);
        Assert.Equal(Dispatcher.Contracts.Verdict.Allow, evaluated.Decision.Verdict);
        while (Timestamps.At(clock.Now) <= end)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), Token);
        }

        await server.Get<JobIntake>().AcceptAsync(evaluated, submission, Token);
        var (_, body) = await AskAsync(server, "/explain", new { job_id = JobId });

        var decision = Assert.Single(body.GetProperty("decisions").EnumerateArray());
        Assert.True(decision.GetProperty("is_as_recorded").GetBoolean(), decision.GetRawText());
        Assert.True(decision.GetProperty("recorded").GetProperty("at").GetDateTimeOffset() < end);
    }

    [Fact]
    public async Task A_planned_job_is_explained_by_any_kept_bundle()
    {
        await using var server = await ServerAsync(Denying);
        await ActivateAsync(server, Allowing);
        var job = JsonDocument.Parse(Job).RootElement;

        var (_, now) = await AskAsync(server, "/explain", new { job });
        var (_, before) = await AskAsync(server, "/explain", new { job, policy_hash = Denying.Build().Hash[..8] });

        Assert.Equal("ALLOW", Verdict(now));
        Assert.Equal("DENY", Verdict(before));

        static string? Verdict(JsonElement answer) =>
            answer.GetProperty("decisions")[0].GetProperty("explanation").GetProperty("verdict").GetString();
    }

    [Theory]
    [InlineData("""{}""", 400, "job_or_job_id body")]
    [InlineData("""{"job":{"topic":"test.run","lables":{}}}""", 400, "unknown_field /job/lables")]
    [InlineData("""{"job":{"topic":"test.run"},"policy_hash":"xyz"}""", 400, "bad_hash /policy_hash")]
    [InlineData("""{"job":{"topic":"test.run"},"attempt":0}""", 400, "bad_attempt /attempt")]
    [InlineData("""{"job":{"topic":"test.run"},"principal":"A B"}""", 400, "bad_principal /principal")]
    [InlineData("""{"job":{"topic":"test.run"},"policy_hash":"0123456789"}""", 404, null)]
    [InlineData("""{"job_id":"0197f3a0-7c1e-7b7a-9f53-0d4c2e6a1b12"}""", 404, null)]
    public async Task A_request_that_names_nothing_to_explain_says_what_is_wrong(string body, int status, string? error)
    {
        await using var server = await ServerAsync(Allowing);

        var (seen, problem) = await server.AskAsync("POST", "/api/policies/explain", ACaller.With(Role.Operator), body: body);

        Assert.Equal(status, seen);
        Assert.True(error is null || AServer.Errors(problem).Contains(error), problem.GetRawText());
    }

    [Theory]
    [InlineData("[]", "body", "job_id, job, principal, attempt, policy_hash")]
    [InlineData("", "body", "no JSON")]
    [InlineData("null", "body", "empty or null; allowed: a JSON object with job_id, job,")]
    [InlineData(null, "body", "empty or null; allowed: a JSON object with job_id, job,")]
    [InlineData("""{"job_id":}""", "/job_id", "no JSON: '}' is an invalid start of a value (line 1, byte 11)")]
    [InlineData("""{"jobid":1}""", "/jobid", "\"jobid\" is not known; allowed: job_id, job,")]
    [InlineData("""{"attempt":"x"}""", "/attempt", "a whole number")]
    [InlineData("""{"job_id":"x"}""", "/job_id", "a UUID such as")]
    [InlineData("""{"policy_hash":7}""", "/policy_hash", "a text")]
    public async Task A_body_that_cannot_be_read_says_what_is_allowed_in_the_words_of_the_api(string? body, string where, string message)
    {
        await using var server = await ServerAsync(Allowing);

        var (status, problem) = await server.AskAsync("POST", "/api/policies/explain", ACaller.With(Role.Operator), body: body);

        Assert.Equal(400, status);
        Assert.Equal([$"unreadable {where}"], AServer.Errors(problem));
        var error = problem.GetProperty("errors")[0];
        Assert.Contains(message, error.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.DoesNotMatch("System\\.|Dispatcher\\.|\\.NET|parameter|Path:", error.GetRawText());
    }

    [Fact]
    public async Task A_comparison_counts_what_widens_and_what_narrows_denied_submissions_too()
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
    public async Task A_comparison_leaves_out_what_is_older_than_asked()
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
    public async Task A_comparison_of_too_many_takes_the_newest_of_jobs_and_denials_together(int most, bool truncated, int looked)
    {
        await using var server = await ServerAsync(Denying);
        foreach (var (key, env) in new[] { ("a", "dev"), ("b", "prod"), ("c", "dev"), ("d", "prod") })
        {
            await SubmitAsync(server, $$$"""{"idempotency_key":"{{{key}}}","topic":"test.run","labels":{"env":"{{{env}}}"}}""");
        }

        var jobs = new DecidedJobs(server.Get<IDbContextFactory<DispatcherDb>>(), server.Get<StoredBundles>(), server.Get<StoreClock>())
        {
            MostJobs = most,
        };
        var diff = await jobs.CompareAsync(Denying.Build(), Limiting.Build(), since: 0, Token);

        // The oldest of the four is a denied one, and a denied one widens.
        Assert.Equal((truncated, looked, looked - 2, 2), (diff.Truncated, diff.Jobs, diff.Widened, diff.Narrowed));
        Assert.Equal(
            diff.Changes.Where(change => change.Widened.Count > 0).OrderByDescending(change => change.CreatedAt),
            diff.Changes.Where(change => change.Widened.Count > 0)
        );
    }

    [Theory]
    [InlineData("/api/policies/explain", 2)]
    [InlineData("/api/policies/diff", 16)]
    public async Task What_is_asked_about_is_no_larger_than_a_policy_or_a_job_can_be(string route, int megabytes)
    {
        await using var server = await AServer.MigratedAsync();

        Assert.Equal(
            megabytes * 1024 * 1024,
            server
                .Endpoint("POST", route)
                .Metadata.GetMetadata<Microsoft.AspNetCore.Http.Metadata.IRequestSizeLimitMetadata>()
                ?.MaxRequestBodySize
        );
    }

    [Fact]
    public async Task A_bundle_that_does_not_load_is_refused_with_its_errors()
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

    internal static Task<(int Status, JsonElement Body)> AskAsync<T>(AServer server, string route, T body) =>
        server.AskAsync("POST", "/api/policies" + route, ACaller.With(Role.Operator), body: JsonSerializer.Serialize(body));

    internal static Task<(int Status, JsonElement Body)> SubmitAsync(AServer server, string job) =>
        server.AskAsync("POST", "/api/jobs/", ACaller.With(Role.Producer, "billing"), body: job);

    internal static async Task<AServer> ServerAsync(ABundle bundle)
    {
        var server = await AServer.MigratedAsync();
        await server.Get<StoreClock>().OnceAsync(Token);
        await ActivateAsync(server, bundle);
        await server.Get<IntakeWriter>().StartAsync(Token);
        return server;
    }

    private static async Task ActivateAsync(AServer server, ABundle files)
    {
        var bundle = files.Build();
        await server
            .Get<IStore>()
            .ActivateAsync(
                _ => new Activation
                {
                    Hash = bundle.Hash,
                    Archive = bundle.Archive,
                    Actor = "test",
                    Reason = "for a test",
                },
                Token
            );
        await server.Get<CurrentBundle>().OnceAsync(Token);
    }
}
