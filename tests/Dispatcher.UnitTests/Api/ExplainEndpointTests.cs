using System.Text.Json;
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

/// <summary>Explains decisions over HTTP, with jobs that intake accepted.</summary>
public sealed class ExplainEndpointTests
{
    internal const string Job =
        """{"job_id":"0197f3a0-7c1e-7b7a-9f53-0d4c2e6a1b11","topic":"test.run","labels":{"env":"dev"},"payload":{}}""";
    private static readonly Guid JobId = Guid.Parse("0197f3a0-7c1e-7b7a-9f53-0d4c2e6a1b11");
    internal static readonly ABundle Denying = ABundle.WithRules(
        "id: deny-dev, match: { labels: { env: dev } }, decision: DENY",
        "id: allow, match: { topic: test.run }, decision: ALLOW"
    );
    internal static readonly ABundle Limiting = ABundle.WithRules(
        "id: limit, match: { topic: test.run }, decision: ALLOW_WITH_CONSTRAINTS, constraints: { timeout_ms: 100 }"
    );
    internal static readonly ABundle Allowing = ABundle.WithRules("id: allow, match: { topic: test.run }, decision: ALLOW");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Explain_uses_the_bundle_of_the_recorded_decision(bool denied)
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
    public async Task Explain_works_for_a_job_with_votes(string verdict)
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
    public async Task Explain_detects_a_changed_row()
    {
        await using var server = await ServerAsync(Denying);
        await SubmitAsync(server, Job.Replace("dev", "prod", StringComparison.Ordinal));
        await using var db = await server.DatabaseAsync();
        await db.Database.ExecuteSqlRawAsync("update jobs set labels = '{{\"env\":\"dev\"}}'", Token);

        var (_, body) = await AskAsync(server, "/explain", new { job_id = JobId });

        Assert.False(Assert.Single(body.GetProperty("decisions").EnumerateArray()).GetProperty("is_as_recorded").GetBoolean());
    }

    /// <summary>The verdict is the same, but its basis differs.</summary>
    [Fact]
    public async Task Explain_detects_a_changed_row_that_another_rule_allows()
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

    /// <summary>The validity of a rule may end between a decision and its entry on the timeline.</summary>
    [Fact]
    public async Task Explain_uses_the_time_of_the_decision()
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
    public async Task Explain_evaluates_a_planned_job_by_any_stored_bundle()
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
    public async Task Explain_names_the_error_of_an_invalid_request(string body, int status, string? error)
    {
        await using var server = await ServerAsync(Allowing);

        var (seen, problem) = await server.AskAsync("POST", "/api/policies/explain", ACaller.With(Role.Operator), body: body);

        Assert.Equal(status, seen);
        Assert.True(error is null || AServer.Errors(problem).Contains(error), problem.GetRawText());
    }

    [Theory]
    [InlineData("[]", "body", "job_id, job, principal, attempt, policy_hash")]
    [InlineData("", "body", "not JSON")]
    [InlineData("null", "body", "empty or null; allowed: a JSON object with job_id, job,")]
    [InlineData(null, "body", "empty or null; allowed: a JSON object with job_id, job,")]
    [InlineData("""{"job_id":}""", "/job_id", "not JSON: '}' is an invalid start of a value (line 1, byte 11)")]
    [InlineData("""{"jobid":1}""", "/jobid", "\"jobid\" is not known; allowed: job_id, job,")]
    [InlineData("""{"attempt":"x"}""", "/attempt", "a whole number")]
    [InlineData("""{"job_id":"x"}""", "/job_id", "a UUID such as")]
    [InlineData("""{"policy_hash":7}""", "/policy_hash", "a text")]
    public async Task Unreadable_body_is_answered_in_terms_of_the_API(string? body, string where, string message)
    {
        await using var server = await ServerAsync(Allowing);

        var (status, problem) = await server.AskAsync("POST", "/api/policies/explain", ACaller.With(Role.Operator), body: body);

        Assert.Equal(400, status);
        Assert.Equal([$"unreadable {where}"], AServer.Errors(problem));
        var error = problem.GetProperty("errors")[0];
        Assert.Contains(message, error.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.DoesNotMatch("System\\.|Dispatcher\\.|\\.NET|parameter|Path:", error.GetRawText());
    }

    [Theory]
    [InlineData("/api/policies/explain", 2)]
    [InlineData("/api/policies/diff", 16)]
    public async Task Body_limit_fits_a_policy_or_a_job(string route, int megabytes)
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
