using System.Security.Claims;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Intake;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Dispatcher.UnitTests.Hosting;
using Dispatcher.UnitTests.Policies;
using Dispatcher.Web;
using Microsoft.EntityFrameworkCore;
using Claim = System.Security.Claims.Claim;

namespace Dispatcher.UnitTests.Approvals;

/// <summary>
/// A server whose rules hold jobs, and people: Ana of dev, Bo of sre; Pat is behind <c>producer</c>, Cleo behind <c>crm</c>.
/// </summary>
internal sealed class VotingStage : IAsyncDisposable
{
    private VotingStage(AServer server) => Server = server;

    public AServer Server { get; }

    public ClaimsPrincipal Ana { get; } = Caller("ana-key", "ana", "dev");

    public ClaimsPrincipal Bo { get; } = Caller("bo-key", "bo", "sre");

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public static async Task<VotingStage> WithAsync(params string[] rules)
    {
        var stage = new VotingStage(await AServer.MigratedAsync());
        await stage.Server.Get<StoreClock>().StartAsync(Stop);
        await stage.Server.Get<IntakeWriter>().StartAsync(Stop);
        await stage.Server.Get<MoveWriter>().StartAsync(Stop);
        await stage.ActivateAsync(ABundle.WithRules(rules));
        await stage.Server.StoreAsync(
            AKey.Of("producer", "pat"),
            AKey.Of("crm", "cleo"),
            AKey.Of("ana-key", "ana", "dev"),
            AKey.Of("bo-key", "bo", "sre")
        );
        return stage;
    }

    /// <summary>A voter with the claims of its key.</summary>
    public static ClaimsPrincipal Caller(string subject, string person, params string[] groups) =>
        new(
            new ClaimsIdentity(
                [
                    new Claim(ClaimTypes.NameIdentifier, subject),
                    new Claim(ClaimTypes.Role, Role.Approver),
                    new Claim(ApiKeyAuthentication.PersonClaim, person),
                    .. groups.Select(group => new Claim(ApiKeyAuthentication.GroupClaim, group)),
                ],
                "test"
            )
        );

    public async Task ActivateAsync(ABundle policy)
    {
        var bundle = policy.Build();
        await Server
            .Get<IStore>()
            .ActivateAsync(
                _ => new Activation
                {
                    Hash = bundle.Hash,
                    Archive = bundle.Archive,
                    Actor = "ops",
                    Reason = "tried",
                },
                Stop
            );
        await Server.Get<CurrentBundle>().OnceAsync(Stop);
    }

    /// <summary>Submits a job that is held.</summary>
    public async Task<Guid> HeldAsync(string payload = "{}", string principal = "producer")
    {
        var (status, body) = await SubmitAsync(principal, "prod", payload);
        Assert.Equal((StatusCodes.Status202Accepted, "held"), (status, body.GetProperty("state").GetString()));
        return body.GetProperty("job_id").GetGuid();
    }

    public Task<(int Status, JsonElement Body)> SubmitAsync(
        string principal,
        string env,
        string payload = "{}",
        string topic = "test.run"
    ) =>
        Server.AskAsync(
            "POST",
            "/api/jobs/",
            ACaller.With(Role.Producer, principal),
            body: $$"""{"job_id":"{{Guid.CreateVersion7()}}","topic":"{{topic}}","labels":{"env":"{{env}}"},"payload":{{payload}}}"""
        );

    public async Task<JsonElement> ShownAsync(Guid jobId, ClaimsPrincipal caller) =>
        (await Server.AskAsync("GET", "/api/approvals/{approvalId}", caller, name: jobId.ToString())).Body;

    /// <summary>Votes on the approval as it is shown now, or as it was shown before.</summary>
    public async Task<(int Status, JsonElement Body)> VoteAsync(
        Guid jobId,
        string verdict,
        ClaimsPrincipal caller,
        Action<JsonObject>? change = null,
        JsonElement? shown = null
    )
    {
        var seen = shown ?? await ShownAsync(jobId, caller);
        var vote = new JsonObject
        {
            ["job_hash"] = seen.GetProperty("job_hash").GetString(),
            ["policy_hash"] = seen.GetProperty("policy_hash").GetString(),
            ["view_hash"] = seen.GetProperty("view_hash").GetString(),
            ["reason"] = "looked at it",
        };
        change?.Invoke(vote);
        return await Server.AskAsync(
            "POST",
            "/api/approvals/{approvalId}/" + verdict,
            caller,
            name: seen.GetProperty("approval_id").GetString(),
            body: vote.ToJsonString()
        );
    }

    public async Task<Job> JobAsync(Guid jobId)
    {
        await using var db = await Server.DatabaseAsync();
        return await db.Jobs.AsNoTracking().SingleAsync(job => job.JobId == jobId, Stop);
    }

    /// <summary>The last round.</summary>
    public async Task<Approval> ApprovalAsync(Guid jobId)
    {
        await using var db = await Server.DatabaseAsync();
        return await db
            .Approvals.AsNoTracking()
            .Where(approval => approval.JobId == jobId)
            .OrderByDescending(approval => approval.Round)
            .FirstAsync(Stop);
    }

    public async Task<IReadOnlyList<string>> LinesAsync(Guid jobId)
    {
        await using var db = await Server.DatabaseAsync();
        return await db
            .Timeline.Where(entry => entry.JobId == jobId)
            .OrderBy(entry => entry.EntryId)
            .Select(entry => entry.Kind)
            .ToListAsync(Stop);
    }

    public async Task<IReadOnlyList<string>> EventsAsync()
    {
        await using var db = await Server.DatabaseAsync();
        var messages = await db.Outbox.AsNoTracking().Where(message => message.Type == MessageTypes.Event).ToListAsync(Stop);
        return messages.ConvertAll(message =>
            JsonDocument.Parse(Encoding.UTF8.GetString(message.Body)).RootElement.GetProperty("event").GetString()!
        );
    }

    public async ValueTask DisposeAsync()
    {
        await Server.Get<MoveWriter>().StopAsync(CancellationToken.None);
        await Server.Get<IntakeWriter>().StopAsync(CancellationToken.None);
        await Server.Get<StoreClock>().StopAsync(CancellationToken.None);
        await Server.DisposeAsync();
    }
}

/// <summary>Builds a stored key.</summary>
internal static class AKey
{
    public static ApiKey Of(string subject, string person, params string[] groups) =>
        new()
        {
            KeyId = subject,
            SecretHash = subject,
            Subject = subject,
            Person = person,
            Roles = [Role.Approver],
            Groups = groups,
            CreatedAt = 1,
        };
}
