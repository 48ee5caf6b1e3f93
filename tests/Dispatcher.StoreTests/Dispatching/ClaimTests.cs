using System.Text;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Microsoft.Extensions.Logging.Abstractions;

namespace Dispatcher.StoreTests.Dispatching;

public abstract class ClaimTests(StoreKind kind) : StoreTest(kind)
{
    [Fact]
    public async Task Claim_of_an_instance_that_lacks_an_enforcer_of_the_pool_is_refused()
    {
        await using var writers = await Writers.OnAsync(Database);
        using var permits = new Permits(Database.Contexts, TimeProvider.System);
        using var clock = new StoreClock(Store, TimeProvider.System, NullLogger<StoreClock>.Instance);
        var claims = Claims(writers, permits, clock);
        await RegisterAsync("host/1", "shell", "allowed_commands");
        await RegisterAsync("host/2", "repo", "allowed_hosts");
        var job = await DispatchedAsync();

        var lacking = await ClaimAsync(claims, permits, job, "host/1");
        var other = await ClaimAsync(claims, permits, job, "host/2");

        Assert.Equal((ClaimStatus.Invalid, null), (lacking.Status, lacking.RunId));
        Assert.Equal(ClaimStatus.Granted, other.Status);
    }

    [Fact]
    public async Task Repeated_claim_is_granted_only_to_the_principal_and_instance_of_the_run()
    {
        await using var writers = await Writers.OnAsync(Database);
        using var permits = new Permits(Database.Contexts, TimeProvider.System);
        using var clock = new StoreClock(Store, TimeProvider.System, NullLogger<StoreClock>.Instance);
        var claims = Claims(writers, permits, clock);
        var job = await DispatchedAsync();
        var request = new ClaimRequest
        {
            Worker = "host/1",
            ClaimId = Guid.CreateVersion7(),
            Permits = [await permits.SignAsync(Permit(job), Stop)],
        };

        var first = await SendAsync(request, "worker-key");
        var again = await SendAsync(request, "worker-key");
        var otherPrincipal = await SendAsync(request, "other-key");
        var otherInstance = await SendAsync(request with { Worker = "host/2" }, "worker-key");

        Assert.Equal((ClaimStatus.Granted, first.RunId), (again.Status, again.RunId));
        Assert.Equal((ClaimStatus.Taken, null), (otherPrincipal.Status, otherPrincipal.RunId));
        Assert.Equal((ClaimStatus.Taken, null), (otherInstance.Status, otherInstance.RunId));

        async Task<Claim> SendAsync(ClaimRequest sent, string subject) =>
            Assert.Single((await claims.ClaimAsync(sent, subject, _ => true, Stop)).Claims);
    }

    [Fact]
    public async Task Same_claim_of_two_principals_at_once_is_granted_to_one()
    {
        await using var writers = await Writers.OnAsync(Database);
        using var permits = new Permits(Database.Contexts, TimeProvider.System);
        using var clock = new StoreClock(Store, TimeProvider.System, NullLogger<StoreClock>.Instance);
        var claims = Claims(writers, permits, clock);
        for (var round = 0; round < 10; round++)
        {
            var job = await DispatchedAsync();
            var request = new ClaimRequest
            {
                Worker = "host/1",
                ClaimId = Guid.CreateVersion7(),
                Permits = [await permits.SignAsync(Permit(job), Stop)],
            };

            var answers = await AtOnceAsync(
                2,
                async i => (await claims.ClaimAsync(request, $"worker-{i}", _ => true, Stop)).Claims[0].Status
            );

            Assert.Equal([ClaimStatus.Granted, ClaimStatus.Taken], answers.Order());
        }
    }

    /// <summary>An attacker who reads the permit keys in the database can sign any permit.</summary>
    [Theory]
    [InlineData("another permit")]
    [InlineData("another work message")]
    [InlineData("another pool")]
    public async Task Signed_permit_that_no_dispatch_issued_is_refused(string forged)
    {
        await using var writers = await Writers.OnAsync(Database);
        using var permits = new Permits(Database.Contexts, TimeProvider.System);
        using var clock = new StoreClock(Store, TimeProvider.System, NullLogger<StoreClock>.Instance);
        var claims = Claims(writers, permits, clock);
        var job = await DispatchedAsync();
        var issued = Permit(job);
        var permit = forged switch
        {
            "another permit" => issued with { Jti = Guid.CreateVersion7() },
            "another work message" => issued with { Bh = new string('1', 64) },
            _ => issued with { Aud = "deploy" },
        };

        Assert.Equal(ClaimStatus.Invalid, await StatusAsync(permit));
        Assert.Equal(JobState.Dispatched, (await JobAsync(job.JobId)).State);
        Assert.Equal(ClaimStatus.Granted, await StatusAsync(issued));

        async Task<ClaimStatus> StatusAsync(PermitClaims signed)
        {
            var request = new ClaimRequest
            {
                Worker = "host/1",
                ClaimId = Guid.CreateVersion7(),
                Permits = [await permits.SignAsync(signed, Stop)],
            };
            return Assert.Single((await claims.ClaimAsync(request, "worker-key", _ => true, Stop)).Claims).Status;
        }
    }

    /// <summary>The server keeps jobs in progress in memory. Another server may have moved a job since.</summary>
    [Fact]
    public async Task Claim_is_decided_by_the_store_when_another_server_has_moved_the_job()
    {
        await using var writers = await Writers.OnAsync(Database);
        using var permits = new Permits(Database.Contexts, TimeProvider.System);
        using var clock = new StoreClock(Store, TimeProvider.System, NullLogger<StoreClock>.Instance);
        var claims = Claims(writers, permits, clock);
        var known = await DispatchedAsync();
        writers.Live.Committed([new Move(known with { State = JobState.Accepted, Version = known.Version - 1 }, known)]);
        var again = await DispatchedAgainAsync(known);

        var old = await ClaimAsync(claims, permits, known, "host/1");
        var current = await ClaimAsync(claims, permits, again, "host/1");

        Assert.Equal(ClaimStatus.Fenced, old.Status);
        Assert.Equal(ClaimStatus.Granted, current.Status);
    }

    /// <summary>No claim came in time, and another server dispatched the job again.</summary>
    private async Task<Job> DispatchedAgainAsync(Job job)
    {
        var returned = job with { State = JobState.Accepted };
        await MovedAsync(new Move(job, returned));
        return await DispatchedAsync(await JobAsync(job.JobId));
    }

    /// <summary>The permit that the dispatch of <see cref="DispatchedAsync()"/> issues.</summary>
    private static PermitClaims Permit(Job job) =>
        new()
        {
            Jti = UuidV5.Of("permit", job.JobId.ToString(), job.Attempt.ToString(System.Globalization.CultureInfo.InvariantCulture)),
            Sub = job.JobId,
            Att = job.Attempt,
            Aud = "shell",
            Exp = long.MaxValue,
            Bh = new string('0', 64),
        };

    private AttemptClaims Claims(Writers writers, Permits permits, StoreClock clock) =>
        new(permits, writers.Moves, writers.Live, Database.Contexts, clock, NullLogger<AttemptClaims>.Instance);

    private static async Task<Claim> ClaimAsync(AttemptClaims claims, Permits permits, Job job, string instance)
    {
        var request = new ClaimRequest
        {
            Worker = instance,
            ClaimId = Guid.CreateVersion7(),
            Permits = [await permits.SignAsync(Permit(job), Stop)],
        };
        return Assert.Single((await claims.ClaimAsync(request, "worker-key", _ => true, Stop)).Claims);
    }

    private async Task<Job> DispatchedAsync() => await DispatchedAsync(await StoredAsync(AJob.New()));

    private async Task<Job> DispatchedAsync(Job accepted)
    {
        var dispatched = accepted with
        {
            State = JobState.Dispatched,
            Pool = "shell",
            Attempt = accepted.Attempt + 1,
            StartBy = await Store.NowAsync(Stop) + 60_000_000,
            RunLimitUs = 60_000_000,
            HeartbeatUs = 5_000_000,
        };
        var permit = Permit(dispatched);
        await MovedAsync(
            new Move(accepted, dispatched)
            {
                Entry = new TimelineEntry
                {
                    JobId = accepted.JobId,
                    Kind = TimelineKinds.Dispatched,
                    Attempt = dispatched.Attempt,
                    Actor = "dispatcher",
                    Detail = Encoding.UTF8.GetBytes($$"""{"permit_id":"{{permit.Jti}}","work_sha256":"{{permit.Bh}}"}"""),
                },
            }
        );
        return await JobAsync(accepted.JobId);
    }

    private async Task RegisterAsync(string instance, string pool, string missing)
    {
        await using var db = await Database.Contexts.CreateDbContextAsync(Stop);
        var now = await Store.NowAsync(Stop);
        db.Workers.Add(
            new KnownWorker
            {
                Pool = pool,
                Principal = "worker-key",
                Instance = instance,
                Version = "1",
                Topics = [],
                Enforcers = [],
                Missing = [missing],
                Capacity = 1,
                Shared = false,
                StartedAt = now,
                SeenAt = now,
            }
        );
        await db.SaveChangesAsync(Stop);
    }
}

public sealed class PostgresClaimTests() : ClaimTests(StoreKind.Postgres);

public sealed class SqliteClaimTests() : ClaimTests(StoreKind.Sqlite);
