using Dispatcher.Attempts;
using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Jobs;
using Dispatcher.Storing;
using Dispatcher.Workers;
using Microsoft.Extensions.Logging.Abstractions;

namespace Dispatcher.StoreTests.Attempts;

public abstract class ClaimTests(StoreKind kind) : StoreTest(kind)
{
    [Fact]
    public async Task An_instance_that_lacks_what_its_pool_needs_enforced_is_granted_nothing_there()
    {
        await using var writers = await Writers.OnAsync(Database);
        using var permits = new Permits(Database.Contexts, TimeProvider.System);
        using var clock = new StoreClock(Store, TimeProvider.System, NullLogger<StoreClock>.Instance);
        var claims = new AttemptClaims(permits, writers.Moves, Database.Contexts, clock);
        await RegisterAsync("host/1", "shell", "allowed_commands");
        await RegisterAsync("host/2", "repo", "allowed_hosts");
        var job = await DispatchedAsync();

        var lacking = await ClaimAsync(claims, permits, job, "host/1");
        var other = await ClaimAsync(claims, permits, job, "host/2");

        Assert.Equal((ClaimStatus.Invalid, null), (lacking.Status, lacking.RunId));
        Assert.Equal(ClaimStatus.Granted, other.Status);
    }

    private static async Task<Claim> ClaimAsync(AttemptClaims claims, Permits permits, Job job, string instance)
    {
        var permit = new PermitClaims { Jti = Guid.CreateVersion7(), Sub = job.JobId, Att = job.Attempt, Aud = "shell", Exp = long.MaxValue, Bh = new string('0', 64) };
        var request = new ClaimRequest { Worker = instance, ClaimId = Guid.CreateVersion7(), Permits = [await permits.SignAsync(permit, Stop)] };
        return Assert.Single((await claims.ClaimAsync(request, "worker-key", _ => true, Stop)).Claims);
    }

    private async Task<Job> DispatchedAsync()
    {
        var accepted = await StoredAsync(AJob.New());
        await MovedAsync(new Move(accepted, accepted with
        {
            State = JobState.Dispatched,
            Attempt = 1,
            StartBy = await Store.NowAsync(Stop) + 60_000_000,
            RunLimitUs = 60_000_000,
            HeartbeatUs = 5_000_000,
        }));
        return await JobAsync(accepted.JobId);
    }

    private async Task RegisterAsync(string instance, string pool, string missing)
    {
        await using var db = await Database.Contexts.CreateDbContextAsync(Stop);
        var now = await Store.NowAsync(Stop);
        db.Workers.Add(new KnownWorker
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
        });
        await db.SaveChangesAsync(Stop);
    }
}

public sealed class PostgresClaimTests() : ClaimTests(StoreKind.Postgres);

public sealed class SqliteClaimTests() : ClaimTests(StoreKind.Sqlite);
