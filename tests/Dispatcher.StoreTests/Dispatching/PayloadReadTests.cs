using System.Collections.Concurrent;
using System.Data.Common;
using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Dispatcher.StoreTests.Dispatching;

/// <summary>A payload has up to 1 MiB. The statements of claims, registrations and capacity name the columns that they need.</summary>
public abstract class PayloadReadTests(StoreKind kind) : StoreTest(kind)
{
    [Fact]
    public async Task Claims_registrations_and_capacity_read_no_payload_and_no_result()
    {
        await using var writers = await Writers.OnAsync(Database);
        using var permits = new Permits(Database.Contexts, TimeProvider.System);
        var contexts = new RecordedContexts(Database.Contexts);
        var signals = new DispatchSignals(new NoTransport(), TimeProvider.System, NullLogger<DispatchSignals>.Instance);
        var claims = new AttemptClaims(
            permits,
            writers.Moves,
            new LiveJobs(contexts),
            contexts,
            writers.Clock,
            NullLogger<AttemptClaims>.Instance
        );
        var workers = new WorkerRegister(contexts, writers.Current, signals, writers.Clock, NullLogger<WorkerRegister>.Instance);
        var capacity = new PoolCapacity(
            contexts,
            writers.Current,
            writers.Clock,
            TimeProvider.System,
            Options.Create(new DispatchOptions())
        );
        var job = await StoredAsync(AJob.New());
        var permit = new PermitClaims
        {
            Jti = Guid.CreateVersion7(),
            Sub = job.JobId,
            Att = 1,
            Aud = "shell",
            Exp = long.MaxValue,
            Bh = new string('0', 64),
        };
        var request = new ClaimRequest
        {
            Worker = "host/1",
            ClaimId = Guid.CreateVersion7(),
            Permits = [await permits.SignAsync(permit, Stop)],
        };
        var registration = new WorkerRegistration
        {
            Pool = "shell",
            Version = "1",
            Topics = [],
            Enforcers = [],
            Capacity = 1,
        };

        await claims.ClaimAsync(request, "worker-key", _ => true, Stop);
        await workers.NoteAsync(registration, "host/1", "worker-key", Stop);
        await capacity.LoadAsync("shell", Stop);

        Assert.Contains(contexts.Statements, sql => sql.Contains("jobs", StringComparison.Ordinal));
        Assert.All(contexts.Statements, sql => Assert.DoesNotMatch(@"\b(payload|result)\b", sql));
    }

    /// <summary>Proves that the recorder sees the statements that the test above checks.</summary>
    [Fact]
    public async Task Recorded_statements_of_whole_jobs_name_payload_and_result()
    {
        var contexts = new RecordedContexts(Database.Contexts);
        await using var db = contexts.CreateDbContext();

        await db.Jobs.ToListAsync(Stop);

        var sql = Assert.Single(contexts.Statements);
        Assert.Matches(@"\bpayload\b", sql);
        Assert.Matches(@"\bresult\b", sql);
    }

    /// <summary>Creates the contexts of a store and records their reading statements.</summary>
    private sealed class RecordedContexts(IDbContextFactory<DispatcherDb> inner) : DbCommandInterceptor, IDbContextFactory<DispatcherDb>
    {
        public ConcurrentQueue<string> Statements { get; } = new();

        public DispatcherDb CreateDbContext()
        {
            using var db = inner.CreateDbContext();
            var options = (DbContextOptions<DispatcherDb>)db.GetService<IDbContextOptions>();
            return new DispatcherDb(new DbContextOptionsBuilder<DispatcherDb>(options).AddInterceptors(this).Options);
        }

        public override ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
            DbCommand command,
            CommandEventData eventData,
            InterceptionResult<DbDataReader> result,
            CancellationToken cancellationToken = default
        )
        {
            Statements.Enqueue(command.CommandText);
            return new(result);
        }
    }

    private sealed class NoTransport : IOutboxTransport
    {
        public Task SendAsync(OutboxMessage message, CancellationToken cancellationToken) =>
            throw new NotSupportedException("The relay is not started.");

        public Task ReplyAsync(Reply reply, CancellationToken cancellationToken) =>
            throw new NotSupportedException("The relay is not started.");
    }
}

public sealed class PostgresPayloadReadTests() : PayloadReadTests(StoreKind.Postgres);

public sealed class SqlitePayloadReadTests() : PayloadReadTests(StoreKind.Sqlite);
