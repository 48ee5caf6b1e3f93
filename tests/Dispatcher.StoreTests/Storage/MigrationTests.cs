using Dispatcher.Base;
using Dispatcher.Hosting;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Dispatcher.StoreTests.Databases;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.Extensions.Logging.Abstractions;

namespace Dispatcher.StoreTests.Storage;

/// <summary>Migrating a database keeps its rows.</summary>
public sealed class MigrationTests
{
    /// <summary>What a later version may add while servers of this version run, and what they find after a rollback.</summary>
    [Theory]
    [InlineData(StoreKind.Postgres)]
    [InlineData(StoreKind.Sqlite)]
    public async Task A_later_migration_beneath_a_running_server_breaks_no_statement_and_is_found_at_a_start(StoreKind kind)
    {
        await using var database = kind == StoreKind.Postgres ? await TestDatabase.OnPostgresAsync() : await TestDatabase.OnSqliteAsync();
        await database.Store.ActivateAsync(_ => AnActivation.Of(AJob.Policy), Stop);
        var (before, after) = (AJob.New("before"), AJob.New("after"));
        await database.Store.AcceptAsync([AnAcceptance.Of(before)], null, Stop);
        await using var db = await database.Contexts.CreateDbContextAsync(Stop);
        Assert.Empty(await Migrator.NewerAsync(db, Stop));

        await database.ExecuteAsync(
            """
            alter table jobs add column later text null;
            alter table timeline add column later bigint null;
            alter table outbox add column later text null;
            create table later (id bigint primary key);
            create index later_jobs on jobs (later);
            insert into "__EFMigrationsHistory" ("MigrationId", "ProductVersion") values ('9999_later', '10');
            """
        );

        Assert.Contains(after.JobId, (await database.Store.AcceptAsync([AnAcceptance.Of(after)], null, Stop)).Jobs);
        foreach (var id in new[] { before.JobId, after.JobId })
        {
            var job = await db.Jobs.AsNoTracking().SingleAsync(row => row.JobId == id, Stop);
            var move = new Move(job, job with { State = Contracts.JobState.Dispatched, Attempt = 1 })
            {
                Entry = AnAcceptance.Of(job).Entry with { Kind = TimelineKinds.Dispatched },
            };
            Assert.Contains(id, (await database.Store.MoveAsync([move], Stop)).Jobs);
        }

        await database.Store.TakeOutboxAsync(1, TimeSpan.Zero, Stop);
        Assert.Equal(["9999_later"], await Migrator.NewerAsync(db, Stop));
        Assert.Empty(await Migrator.MissingAsync(db, Stop));
    }

    [Theory]
    [InlineData(StoreKind.Postgres)]
    [InlineData(StoreKind.Sqlite)]
    public async Task Server_starts_on_the_tables_of_the_next_version_and_on_no_later_ones(StoreKind kind)
    {
        await using var database = kind == StoreKind.Postgres ? await TestDatabase.OnPostgresAsync() : await TestDatabase.OnSqliteAsync();
        var start = new StoreStart(database.Contexts, new ServerSettings { PolicyFolder = "", Urls = "" }, NullLogger<StoreStart>.Instance);
        const string later = """insert into "__EFMigrationsHistory" ("MigrationId", "ProductVersion") values ('{0}', '10')""";

        await database.ExecuteAsync(later.Replace("{0}", "9998_next", StringComparison.Ordinal));
        await start.StartAsync(Stop);

        await database.ExecuteAsync(later.Replace("{0}", "9999_later", StringComparison.Ordinal));
        var refused = await Assert.ThrowsAsync<ExitException>(() => start.StartAsync(Stop));
        Assert.Equal(ExitCode.WrongUse, refused.Code);
        Assert.Contains("9998_next, 9999_later", refused.Message, StringComparison.Ordinal);
        // The next test gets the same database, with the same history.
        await database.ExecuteAsync("""delete from "__EFMigrationsHistory" where "MigrationId" in ('9998_next', '9999_later')""");
    }

    [Theory]
    [InlineData(StoreKind.Postgres)]
    [InlineData(StoreKind.Sqlite)]
    public async Task A_database_of_the_first_version_keeps_its_rows_and_gets_the_new_columns(StoreKind kind)
    {
        await using var database =
            kind == StoreKind.Postgres
                ? await TestDatabase.OnPostgresAsync(migrated: false)
                : await TestDatabase.OnSqliteAsync(migrated: false);
        await using var db = await database.Contexts.CreateDbContextAsync(Stop);
        await MakeFirstVersionAsync(database, db);
        await database.ExecuteAsync(
            """
            insert into bundles (hash, archive, first_activated_at) values ('policy-1', '', 1);
            insert into active_bundle (serial, hash, activated_at, actor) values (7, 'policy-1', 1, 'policy-folder');
            insert into timeline (job_id, at, kind, attempt, actor, detail)
            values ('0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10', 1, 'denied', 0, 'billing', '');
            insert into jobs (job_id, principal, topic, labels, risk_tags, payload, job_hash, created_at, state, version,
                attempt, spent, due_at, verdict, rules, reason, policy_hash, basis_hash, cancel_requested, result_truncated, updated_at)
            values ('0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e11', 'billing', 'a.b', '{{}}', '[]', '', 'h', 17, 'accepted', 1,
                0, 0, 18, 'ALLOW', '[]', 'r', 'policy-1', 'b', false, false, 17);
            insert into api_keys (key_id, secret_hash, subject, person, roles, groups, created_at)
            values ('k1', 'h1', 'billing', 'billing', '[]', '[]', 1), ('k2', 'h2', 'ana-cli', 'ana', '[]', '[]', 1);
            insert into denials (job_id, principal, topic, job_hash, policy_hash, at)
            values ('0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10', 'billing', 'a.b', 'h', 'policy-1', 1);
            """
        );
        Assert.Equal(
            [
                "0002_pins_and_processes",
                "0003_approvals",
                "0004_seals",
                "0005_lines_and_workers",
                "0006_sorting",
                "0007_timeline_witness",
                "0008_gates",
                "0009_people",
                "0010_keys_stay_revoked",
                "0013_worker_troubles",
                "0014_retention",
                "0017_telemetry",
                "0018_freezes",
            ],
            await Migrator.MissingAsync(db, Stop)
        );

        await Migrator.MigrateAsync(db, Stop);

        Assert.Empty(await Migrator.MissingAsync(db, Stop));
        var inForce = await db.ActiveBundle.SingleAsync(Stop);
        Assert.Equal((7L, "policy-1", false), (inForce.Serial, inForce.Hash, inForce.Pinned));
        var denial = await db.Denials.SingleAsync(Stop);
        Assert.Equal(
            ("billing", 0, 0, null, null),
            (denial.Principal, denial.Labels.Count, denial.RiskTags.Count, denial.Payload, denial.WorkflowId)
        );
        var job = await db.Jobs.SingleAsync(Stop);
        Assert.Equal((17L, "", null), (job.ReadyAt, job.Pool, job.OverallDeadline));

        // A key that has only a subject names no person.
        Assert.Equal(["", "ana"], (await db.ApiKeys.OrderBy(key => key.KeyId).ToListAsync(Stop)).Select(key => key.Person));
        Assert.Empty(await db.Processes.ToListAsync(Stop));
        Assert.Single(await db.Timeline.ToListAsync(Stop));
    }

    /// <summary>
    /// An activation entry of the first version has no serial. The migration adds one only if the timeline names the bundle.
    /// </summary>
    [Theory]
    [InlineData(StoreKind.Postgres, "policy-1", true)]
    [InlineData(StoreKind.Sqlite, "policy-1", true)]
    [InlineData(StoreKind.Postgres, "policy-0", false)]
    [InlineData(StoreKind.Sqlite, "policy-0", false)]
    public async Task The_bundle_in_force_is_carried_over_only_when_the_timeline_names_it(StoreKind kind, string named, bool carried)
    {
        await using var database =
            kind == StoreKind.Postgres
                ? await TestDatabase.OnPostgresAsync(migrated: false)
                : await TestDatabase.OnSqliteAsync(migrated: false);
        await using var db = await database.Contexts.CreateDbContextAsync(Stop);
        await MakeFirstVersionAsync(database, db);
        var detail = Convert.ToHexString(System.Text.Encoding.UTF8.GetBytes($$"""{"policy_hash":"{{named}}"}"""));
        await database.ExecuteAsync(
            $"""
            insert into bundles (hash, archive, first_activated_at) values ('policy-1', '', 1);
            insert into active_bundle (serial, hash, activated_at, actor) values (7, 'policy-1', 1, 'policy-folder');
            insert into timeline (job_id, at, kind, attempt, actor, detail)
            values ('00000000-0000-0000-0000-000000000000', 1, 'bundle_activated', 0, 'ops', {(
                kind == StoreKind.Postgres ? $"'\\x{detail}'" : $"x'{detail}'"
            )});
            """
        );

        await Migrator.MigrateAsync(db, Stop);

        var (row, witness) = await Dispatcher.Enforcement.ActivationEvidence.ReadAsync(db, Stop);
        Assert.Equal(carried ? ("policy-1", 7L) : ("policy-0", null), (witness!.PolicyHash, witness.Serial));
        Assert.Equal(carried, Dispatcher.Enforcement.ActivationEvidence.Contradiction(row, witness) is null);
    }

    /// <summary>
    /// As a program did that knew only the first migration. EF Core finds a migration by name only when its id begins with a date, which
    /// those here do not.
    /// </summary>
    private static async Task MakeFirstVersionAsync(TestDatabase database, DispatcherDb db)
    {
        const string First = "0001_first_tables";
        var migrations = db.GetService<IMigrationsAssembly>();
        var history = db.GetService<IHistoryRepository>();
        var up = migrations.CreateMigration(migrations.Migrations[First], db.Database.ProviderName!).UpOperations;
        foreach (var command in db.GetService<IMigrationsSqlGenerator>().Generate(up))
        {
            await database.ExecuteAsync(command.CommandText);
        }

        await database.ExecuteAsync(history.GetCreateIfNotExistsScript());
        await database.ExecuteAsync(history.GetInsertScript(new HistoryRow(First, "10.0.0")));
    }

    private static CancellationToken Stop => TestContext.Current.CancellationToken;
}
