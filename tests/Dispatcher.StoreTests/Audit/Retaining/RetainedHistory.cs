using Dispatcher.Audit.Retaining;
using Dispatcher.Audit.Sealing;
using Dispatcher.Audit.Verification;
using Dispatcher.StoreTests.Audit.Sealing;
using Dispatcher.StoreTests.Databases;
using Npgsql;

namespace Dispatcher.StoreTests.Audit.Retaining;

/// <summary>A history whose entries a test makes older, with retentions and checks of it.</summary>
internal sealed class RetainedHistory : IDisposable
{
    private readonly TestDatabase _database;

    private RetainedHistory(TestDatabase database, ASealer sealer) => (_database, Sealer) = (database, sealer);

    public ASealer Sealer { get; }

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <summary>The activation of the bundle becomes 40 days old.</summary>
    public static async Task<RetainedHistory> OnAsync(TestDatabase database)
    {
        var history = new RetainedHistory(database, await ASealer.OnAsync(database));
        await history.AgeAsync(Guid.Empty, 40);
        return history;
    }

    /// <summary>Makes the unsealed entries of a job, and its row, older by whole days.</summary>
    public Task AgeAsync(Guid job, int days) =>
        _database.ExecuteAsync(
            $"""
            alter table timeline disable trigger all;
            update timeline set at = at - {days} * 86400000000 where job_id = '{job}'
                and not exists (select 1 from timeline_seals s where s.entry_id = timeline.entry_id);
            alter table timeline enable trigger all;
            update jobs set created_at = created_at - {days} * 86400000000 where job_id = '{job}'
                and not exists (select 1 from timeline_seals s where s.job_id = jobs.job_id);
            """
        );

    /// <param name="dryRun">Whether to change nothing.</param>
    /// <param name="days">Age of the days to drop.</param>
    /// <param name="time">Measures the pauses.</param>
    /// <param name="connection">Another role. Null: the owner of the tables.</param>
    /// <param name="key">File of a further public key.</param>
    public async Task<RetentionReport> RetainAsync(
        bool dryRun = false,
        int days = 7,
        TimeProvider? time = null,
        string? connection = null,
        string? key = null
    )
    {
        await using var source = NpgsqlDataSource.Create(connection ?? _database.PostgresConnectionString);
        var retainer = new Retainer(source, _database.Contexts, Sealer.Audit, Trusted(key), time ?? TimeProvider.System, page: 2);
        return await retainer.RunAsync(TimeSpan.FromDays(days), dryRun, Stop);
    }

    /// <summary>The reports of a check of the database and of a check of an export.</summary>
    public async Task<AuditReport[]> CheckAsync()
    {
        var file = Path.Combine(Sealer.Folder, "export.ndjson");
        await using var stored = await StoreHistory.OpenAsync(_database.Contexts, Stop);
        await using (var to = new StreamWriter(file))
        {
            await ExportHistory.WriteAsync(stored, to, Stop);
        }

        await using var exported = ExportHistory.Open(file);
        return [await new HistoryCheck(Trusted()).RunAsync(stored, Stop), await new HistoryCheck(Trusted()).RunAsync(exported, Stop)];
    }

    public async Task AssertIntactAsync() =>
        Assert.All(
            await CheckAsync(),
            report => Assert.True(report.Ok, report.Finding?.Message ?? string.Join("; ", report.IncompleteJobs))
        );

    public async Task AssertFoundAsync(Tampering kind, string what) =>
        Assert.All(await CheckAsync(), report => Assert.True(report.Finding?.Kind == kind, $"{what}: {report.Finding}"));

    /// <summary>Runs statements as the owner of the tables, without triggers.</summary>
    public async Task TamperAsync(string sql)
    {
        await Tables.UnlockAsync(_database, StoreKind.Postgres, keepIdentity: true);
        await _database.ExecuteAsync(sql);
    }

    public void Dispose()
    {
        Sealer.Dispose();
        Directory.Delete(Sealer.Folder, recursive: true);
    }

    private TrustedCheckpoints Trusted(string? key = null) =>
        TrustedCheckpoints.Read(
            key is null ? [AuditFolder.PublicKeyIn(Sealer.Folder)] : [AuditFolder.PublicKeyIn(Sealer.Folder), key],
            File.Exists(Sealer.Audit.Checkpoints) ? [Sealer.Audit.Checkpoints] : []
        );
}

/// <summary>The process ends where it would wait: after each batch of deletions, and while another process seals.</summary>
internal sealed class EndsAtWait : TimeProvider
{
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        throw new OperationCanceledException("The process ends here.");

    /// <summary>A second passes between two readings, so that no wait is empty.</summary>
    public override long GetTimestamp() => Interlocked.Add(ref _now, TimestampFrequency);

    private long _now;
}
