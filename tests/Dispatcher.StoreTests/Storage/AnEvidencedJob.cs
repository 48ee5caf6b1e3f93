using System.Text;
using System.Text.Json;
using Dispatcher.Approvals;
using Dispatcher.Audit.Gates;
using Dispatcher.Audit.Verification;
using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Recovery;
using Dispatcher.Storage.Rows;
using Dispatcher.StoreTests.Audit.Sealing;
using Dispatcher.StoreTests.Databases;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.StoreTests.Storage;

/// <summary>
/// Builds jobs that the policy evaluated under a stored bundle, with the timeline entries of the server. Topic <c>job.exec.shell</c>; label
/// <c>env=prod</c> needs one person of group <c>sre</c>.
/// </summary>
internal sealed class AnEvidencedJob : IAsyncDisposable
{
    public const string Topics = "job.exec.shell: { pool: shell, owner: team }";
    public const string Rules = """
        { id: all, match: { topic: job.exec.shell }, decision: ALLOW },
        { id: ask, match: { topic: job.exec.shell, labels: { env: prod } }, decision: REQUIRE_APPROVAL,
          reason: look first, approval: { groups: { sre: 1 } } }
        """;

    /// <summary>The key of a person who may approve.</summary>
    private static readonly ApiKey Ana = new()
    {
        KeyId = "ana",
        SecretHash = "x",
        Subject = "ana-cli",
        Person = "ana",
        Roles = ["approver"],
        Groups = ["sre"],
    };

    /// <summary>Without a person, a job that needs an approval is denied.</summary>
    private static readonly ApiKey OwnerOfBilling = new()
    {
        KeyId = "billing",
        SecretHash = "",
        Subject = "billing",
        Person = "bea",
        Roles = [],
        Groups = [],
    };

    private readonly TestDatabase _database;

    private AnEvidencedJob(TestDatabase database, Writers writers) => (_database, Writers) = (database, writers);

    public Writers Writers { get; }

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public static async Task<AnEvidencedJob> OnAsync(TestDatabase database)
    {
        var evidenced = new AnEvidencedJob(database, await Writers.OnAsync(database));
        await evidenced.Writers.BundleAsync(Topics, database.Store, Stop, Rules);
        await using var db = await database.Contexts.CreateDbContextAsync(Stop);
        db.ApiKeys.AddRange(Ana, OwnerOfBilling);
        await db.SaveChangesAsync(Stop);
        return evidenced;
    }

    /// <summary>A job that the policy allowed, with the rows of its intake.</summary>
    public async Task<Job> AcceptedAsync(string payload = """{"command":["ls"]}""")
    {
        var evaluated = await Writers.EvaluateAsync(AJob.New(payload: payload), Stop);
        var job = evaluated.Subject.With(evaluated.Decision) with { State = JobState.Accepted };
        await _database.Store.AcceptAsync([AnAcceptance.Of(job)], null, Stop);
        return await JobAsync(job.JobId);
    }

    /// <summary>A job of <c>env=prod</c> that waits for a vote, and its approval.</summary>
    public async Task<(Job Job, Approval Approval)> HeldAsync()
    {
        var fresh = Prod(AJob.New());
        var evaluated = await Writers.EvaluateAsync(fresh, Stop);
        Assert.Equal(Verdict.RequireApproval, evaluated.Decision.Verdict);
        var (held, approval) = ApprovalRounds.Hold(fresh, evaluated.Decision, await _database.Store.NowAsync(Stop));
        await _database.Store.AcceptAsync([AnAcceptance.Of(held) with { Approval = approval }], null, Stop);
        return (await JobAsync(held.JobId), approval);
    }

    /// <summary>As <see cref="HeldAsync"/>, and Ana approved it.</summary>
    public async Task<Job> ApprovedAsync(string covers = "attempt")
    {
        var (job, approval) = await HeldAsync();
        var now = await _database.Store.NowAsync(Stop);
        var vote = new Vote("ana", "ana-cli", Vote.Approve, "fine", ["sre"], job.JobHash, approval.PolicyHash, approval.ViewHash, now);
        approval.UseBy = now + 600_000_000;
        var approved = job with { State = JobState.Approved };
        var entry = VoteEntries.Voted(TimelineKinds.Approved, approved, approval, vote);
        entry =
            covers == "attempt"
                ? entry
                : entry with
                {
                    Detail = Encoding.UTF8.GetBytes(
                        Encoding.UTF8.GetString(entry.Detail).Replace("\"attempt\"", $"\"{covers}\"", StringComparison.Ordinal)
                    ),
                };
        await _database.Store.MoveAsync([new Move(job, approved) { Entry = entry }], Stop);
        await using var db = await _database.Contexts.CreateDbContextAsync(Stop);
        await db
            .Approvals.Where(row => row.JobId == job.JobId)
            .ExecuteUpdateAsync(
                set =>
                    set.SetProperty(row => row.State, ApprovalStates.Approved)
                        .SetProperty(row => row.Version, 1)
                        .SetProperty(row => row.UseBy, approval.UseBy)
                        .SetProperty(row => row.DecidedAt, now)
                        .SetProperty(row => row.Votes, [vote]),
                Stop
            );
        return await JobAsync(job.JobId);
    }

    /// <summary>A job that ran once. Null: it succeeded; otherwise the recovery policy applied to this fault.</summary>
    public async Task<Job> EndedAsync(Fault? fault = null)
    {
        var job = await AcceptedAsync();
        await DispatchAsync(job.JobId);
        var dispatched = await JobAsync(job.JobId);
        var running = dispatched with
        {
            State = JobState.Running,
            RunId = Guid.CreateVersion7(),
            ClaimedBy = "worker-key",
            Worker = "w",
            RunUntil = 1,
        };
        await _database.Store.MoveAsync(
            [new Move(dispatched, running) { Entry = DispatchEntries.Claimed(running, await PermitAsync(job.JobId)) }],
            Stop
        );
        var outcome = new AttemptOutcome
        {
            JobId = job.JobId,
            Attempt = 1,
            RunId = running.RunId.Value,
            Worker = "w",
            PermitId = Guid.CreateVersion7(),
            Kind = fault is null ? OutcomeKind.Succeeded : OutcomeKind.Faulted,
            Result = JsonSerializer.SerializeToElement(new { done = "\U0001F422" }),
            Fault = fault,
            StartedAt = DateTimeOffset.UnixEpoch,
            EndedAt = DateTimeOffset.UnixEpoch,
        };
        await _database.Store.MoveAsync([RecoveryMoves.Of(await JobAsync(job.JobId), outcome, await Writers.ContextAsync(Stop))], Stop);
        return await JobAsync(job.JobId);
    }

    private async Task<Guid> PermitAsync(Guid jobId)
    {
        await using var db = await _database.Contexts.CreateDbContextAsync(Stop);
        var entry = await db.Timeline.AsNoTracking().SingleAsync(row => row.JobId == jobId && row.Kind == TimelineKinds.Dispatched, Stop);
        return Guid.Parse(EntryDetail.Of(entry).PermitId!);
    }

    /// <summary>A submission that the policy denied.</summary>
    public async Task<Guid> DeniedAsync()
    {
        var job = AJob.New("a-key").Under(Writers.Current.InForce.Hash);
        await _database.Store.AcceptAsync([AnAcceptance.Denying(job)], null, Stop);
        return job.JobId;
    }

    /// <summary>
    /// Forges another payload of the job in every row that could contradict it, as a user with write access to the tables could.
    /// </summary>
    public async Task<Job> SwappedAsync(Job job)
    {
        var other = job with { Payload = """{"command":["rm","-rf","/"]}"""u8.ToArray() };
        other = other with { JobHash = JobHash.Of(other) };
        await using var db = await _database.Contexts.CreateDbContextAsync(Stop);
        await db
            .Jobs.Where(row => row.JobId == job.JobId)
            .ExecuteUpdateAsync(
                set => set.SetProperty(row => row.Payload, other.Payload).SetProperty(row => row.JobHash, other.JobHash),
                Stop
            );
        if (await db.Approvals.AsNoTracking().SingleOrDefaultAsync(row => row.JobId == job.JobId, Stop) is { } approval)
        {
            approval.JobHash = other.JobHash;
            approval.ViewHash = ReviewSnapshot.Of(other, approval).Hash();
            var votes = approval.Votes.Select(vote => vote with { JobHash = other.JobHash, ViewHash = approval.ViewHash }).ToList();
            await db
                .Approvals.Where(row => row.JobId == job.JobId)
                .ExecuteUpdateAsync(
                    set =>
                        set.SetProperty(row => row.JobHash, other.JobHash)
                            .SetProperty(row => row.ViewHash, approval.ViewHash)
                            .SetProperty(row => row.Votes, votes),
                    Stop
                );
        }

        return await JobAsync(job.JobId);
    }

    /// <summary>Dispatches the job as it is stored now. Returns its state afterwards.</summary>
    public async Task<JobState> DispatchAsync(Guid jobId)
    {
        await Writers.DispatchAsync(await JobAsync(jobId), Stop);
        return (await JobAsync(jobId)).State;
    }

    public async Task<Job> JobAsync(Guid jobId)
    {
        await using var db = await _database.Contexts.CreateDbContextAsync(Stop);
        return await db.Jobs.AsNoTracking().SingleAsync(job => job.JobId == jobId, Stop);
    }

    /// <summary>Seals the history and returns the report of <c>audit verify</c>.</summary>
    public async Task<AuditReport> AuditAsync()
    {
        using var sealer = await ASealer.OnAsync(_database);
        await sealer.RunAsync();
        await using var history = await StoreHistory.OpenAsync(_database.Contexts, Stop);
        return await new HistoryCheck(TrustedCheckpoints.Read([], [])).RunAsync(history, Stop);
    }

    /// <summary>The kinds of the gaps that the audit reports, each once.</summary>
    public async Task<string> GapsAsync() =>
        string.Join(
            ", ",
            (await AuditAsync())
                .IncompleteJobs.Select(gap => JsonSerializer.Serialize(gap.Kind).Trim('"'))
                .Distinct()
                .Order(StringComparer.Ordinal)
        );

    /// <summary>The value of the gate <c>high-risk-unapproved</c>.</summary>
    public async Task<double?> GateAsync() => await new GateQueries(_database.Contexts).HighRiskUnapprovedAsync(0, long.MaxValue, Stop);

    public ValueTask DisposeAsync() => Writers.DisposeAsync();

    private static Job Prod(Job job)
    {
        var prod = job with { Labels = new Dictionary<string, string> { ["env"] = "prod" } };
        return prod with { JobHash = JobHash.Of(prod) };
    }
}
