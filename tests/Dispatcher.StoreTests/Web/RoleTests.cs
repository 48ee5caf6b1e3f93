using Dispatcher.Audit.Sealing;
using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Dispatcher.StoreTests.Web;

/// <summary>The serve role can serve, and cannot change tables or the timeline. SQLite has no roles.</summary>
public sealed class RoleTests() : StoreTest(StoreKind.Postgres)
{
    private const string IntoKeys = "insert into api_keys (key_id, secret_hash, subject, person, roles, groups, created_at";

    private static readonly string[] InvalidNames =
    [
        "",
        "Serve",
        "public",
        "none",
        "pg_monitor",
        "serve me",
        "serve;drop table jobs",
        "serve\n",
        "\"serve\"",
        "sérve",
        "a234567890123456789012345678901234567890123456789012345678901234",
    ];

    /// <summary>The grants of earlier versions.</summary>
    private const string EarlierGrants = """
        grant select, insert, update, delete on jobs, approvals, denials, dead_letters, outbox, bundles, active_bundle, processes, workers,
            api_keys, permit_keys to {0};
        grant select, insert on timeline, timeline_seals, timeline_checkpoints to {0};
        """;

    private readonly string _role = $"serve_{Guid.NewGuid():n}";

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        await Database.ExecuteAsync($"create role {_role} login");
        await GrantAsync(_role);
    }

    public override async ValueTask DisposeAsync()
    {
        await Database.ExecuteAsync($"drop owned by {_role}; drop role {_role}");
        await base.DisposeAsync();
    }

    [Fact]
    public async Task Serve_role_can_run_every_operation_of_the_store()
    {
        await using var services = Serving();
        var store = services.GetRequiredService<IStore>();

        await store.ActivateAsync(_ => AnActivation.Of("policy-2") with { Outbox = [AMessage.New()] }, Stop);
        var order = new FreezeOrder(new FreezeTarget(FreezeKinds.Topic, "a.b"), "r", "ada", null, TimeSpan.FromHours(1));
        await store.ChangeFreezesAsync((_, now) => new FreezeChange(order.At(now)), Stop);
        await store.ChangeFreezesAsync(
            (inForce, now) => new FreezeChange(Assert.Single(inForce) with { EndedAt = now, EndedBy = "ada", EndReason = "r" }),
            Stop
        );
        var job = AJob.New("key").Under("policy-2").DueAt(1);
        Assert.Equal(
            2,
            (await store.AcceptAsync([AnAcceptance.Of(job), AnAcceptance.Denying(AJob.New().Under("policy-2"))], AMessage.New(), Stop))
                .Jobs
                .Count
        );
        var dead = new Move(job, job with { State = JobState.Dispatched, PolicyHash = "policy-2" })
        {
            Entry = AnAcceptance.Of(job).Entry,
            DeadLetter = ADeadLetter.Of(job),
            Outbox = [AMessage.New()],
        };
        Assert.Single((await store.MoveAsync([dead], Stop)).Jobs);
        Assert.Single(await store.TakeDueAsync(10, TimeSpan.FromMinutes(1), Stop));
        await store.RefuseAsync([ARefusal.Of([AMessage.New()])], Stop);
        await store.ExtendLeasesAsync([new Run { JobId = job.JobId, RunId = Guid.CreateVersion7() }], "worker-key", Stop);
        await store.RecordAsync([AnAcceptance.Of(job).Entry], [], Stop);
        var message = AMessage.New();
        await store.RecordAsync([], [message], Stop);
        await store.TakeOutboxAsync(10, TimeSpan.FromMinutes(1), Stop);
        await store.DeferOutboxAsync(message.MessageId, "no", null, Stop);
        await store.DeleteOutboxAsync([message.MessageId], Stop);
        await store.NowAsync(Stop);
        var seals = services.GetRequiredService<SealTable>();
        await seals.SealAsync(new SealRange(0, []), 100, Stop);
        using var key = CheckpointKey.Create();
        await seals.AddAsync(
            key.Sign(
                new TimelineCheckpoint
                {
                    Size = 1,
                    KeyId = "",
                    Origin = "dispatcher/0",
                    Root = [],
                    Head = [],
                    At = 1,
                }
            ),
            Stop
        );
    }

    [Fact]
    public async Task Serve_role_can_use_every_table_and_read_the_migrations()
    {
        await using var services = Serving();
        await using var db = await services.GetRequiredService<IDbContextFactory<DispatcherDb>>().CreateDbContextAsync(Stop);

        Assert.Empty(await Migrator.MissingAsync(db, Stop));
        Assert.Empty(await db.ApiKeys.ToListAsync(Stop));
        Assert.Empty(await db.PermitKeys.ToListAsync(Stop));
        Assert.Empty(await db.Processes.ToListAsync(Stop));
        await db.Processes.Where(process => process.Pid == 0).ExecuteDeleteAsync(Stop);
        await db.Workers.Where(worker => worker.Pool == "").ExecuteDeleteAsync(Stop);
        await db.ApiKeys.Where(key => key.KeyId == "").ExecuteUpdateAsync(set => set.SetProperty(key => key.RevokedAt, 1), Stop);
    }

    [Theory]
    [InlineData("update api_keys set revoked_at = null")]
    [InlineData("update api_keys set revoked_at = 2")]
    [InlineData(IntoKeys + ") values ('x', 'y', 's', '', 'no list', '[]', 1)")]
    [InlineData(IntoKeys + ") values ('x', 'y', 's', '', '[]', '{}', 1)")]
    [InlineData("insert into workers values ('p', 'w', 'i', '1', 'no list', '[]', '[]', 1, false, 1, 1)")]
    public async Task Serve_role_cannot_revive_a_key_or_write_an_unreadable_row(string statement)
    {
        await Database.ExecuteAsync(
            "insert into api_keys (key_id, secret_hash, subject, person, roles, groups, created_at, revoked_at) values "
                + "('k', 'h', 's', '', '[]', '[]', 1, 1)"
        );
        await using var services = Serving();
        await using var command = services.GetRequiredService<NpgsqlDataSource>().CreateCommand(statement);

        await Assert.ThrowsAnyAsync<PostgresException>(() => command.ExecuteNonQueryAsync(Stop));
    }

    /// <summary>One test checks all statements, because each test creates a database. The role has had earlier grants.</summary>
    [Fact]
    public async Task Serve_role_cannot_change_tables_timeline_or_submissions()
    {
        await StoredAsync(AJob.New());
        await Database.ExecuteAsync(EarlierGrants.Replace("{0}", _role, StringComparison.Ordinal));
        await GrantAsync(_role);
        await using var services = Serving();
        foreach (var statement in ForbiddenStatements.All)
        {
            await using var command = services.GetRequiredService<NpgsqlDataSource>().CreateCommand(statement);

            var refused = await Record.ExceptionAsync(() => command.ExecuteNonQueryAsync(Stop)) as PostgresException;

            // The permissions refuse the statement, not the trigger of the timeline, which is a second safeguard.
            var byPermission =
                refused?.SqlState == PostgresErrorCodes.InsufficientPrivilege
                && !refused.Message.Contains("append-only", StringComparison.Ordinal);
            Assert.True(byPermission, $"\"{statement}\" ended with: {refused?.Message ?? "no fault"}");
        }
    }

    [Fact]
    public async Task Role_without_the_grant_has_no_rights()
    {
        await Database.ExecuteAsync($"drop owned by {_role}");
        await using var services = Serving();

        await Assert.ThrowsAsync<PostgresException>(() =>
            services.GetRequiredService<IStore>().AcceptAsync([AnAcceptance.Of(AJob.New())], null, Stop)
        );
    }

    [Fact]
    public async Task Second_grant_changes_nothing()
    {
        await GrantAsync(_role);
    }

    [Fact]
    public async Task Grant_refuses_an_invalid_role_name()
    {
        foreach (var name in InvalidNames)
        {
            var refused = await Assert.ThrowsAsync<ArgumentException>(() => GrantAsync(name));

            Assert.Contains("is not a role name", refused.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Grant_names_a_missing_role()
    {
        var refused = await Assert.ThrowsAsync<PostgresException>(() => GrantAsync("missing_role"));

        Assert.Contains("missing_role", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Grant_refuses_a_table_owner_or_a_superuser()
    {
        await Database.ExecuteAsync($"alter role {_role} superuser");

        var refused = await Assert.ThrowsAsync<ArgumentException>(() => GrantAsync(_role));

        Assert.Contains("no grant limits it", refused.Message, StringComparison.Ordinal);
    }

    private ServiceProvider Serving()
    {
        var services = new ServiceCollection();
        services.AddPostgresStore(
            new NpgsqlConnectionStringBuilder(Database.PostgresConnectionString) { Username = _role }.ConnectionString
        );
        services.AddSingleton<SealTable>();
        return services.BuildServiceProvider();
    }

    private async Task GrantAsync(string role)
    {
        await using var db = await Database.Contexts.CreateDbContextAsync(Stop);
        await Migrator.GrantAsync(db, role, Stop);
    }
}
