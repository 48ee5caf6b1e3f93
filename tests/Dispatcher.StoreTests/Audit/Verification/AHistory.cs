using System.Text;
using Dispatcher.Audit.Sealing;
using Dispatcher.Audit.Verification;
using Dispatcher.StoreTests.Audit.Sealing;
using Dispatcher.StoreTests.Databases;

namespace Dispatcher.StoreTests.Audit.Verification;

/// <summary>
/// A sealed history to tamper with: number 1 is the activation of the bundle, numbers 2 to 13 are entries of three jobs with the ids 100,
/// 200, … 1200, two minutes apart and some hours ago; checkpoints of size 5, 9 and 13. Job B needs an approval and still runs; A and C
/// succeeded.
/// </summary>
internal sealed class AHistory : IDisposable
{
    public const string A = "0198C5A2-0000-7000-8000-00000000000A";
    public const string B = "0198C5A2-0000-7000-8000-00000000000B";
    public const string C = "0198C5A2-0000-7000-8000-00000000000C";

    private const long Start = 1_700_000_000_000_000;
    private const string Intake = """{"answer":{"verdict":"ALLOW","policy_hash":"policy-1"}}""";
    private const string Allowed = """{"verdict":"ALLOW","policy_hash":"policy-1"}""";
    private const string Succeeded = """{"state":"succeeded"}""";

    private static readonly (string Job, string Kind, int Attempt, string Detail)[] Lines =
    [
        (A, "accepted", 0, Intake),
        (B, "held", 0, Intake),
        (A, "dispatched", 1, Allowed),
        (C, "accepted", 0, Intake),
        (A, "claimed", 1, "{}"),
        (B, "approved", 0, """{"approval_id":"b-1"}"""),
        (C, "dispatched", 1, Allowed),
        (A, "succeeded", 1, Succeeded),
        (B, "dispatched", 1, """{"verdict":"REQUIRE_APPROVAL","policy_hash":"policy-1","approval_id":"b-1"}"""),
        (C, "claimed", 1, "{}"),
        (B, "claimed", 1, "{}"),
        (C, "succeeded", 1, Succeeded),
    ];

    private readonly TestDatabase _database;
    private readonly StoreKind _kind;

    private AHistory(TestDatabase database, StoreKind kind, ASealer sealer) => (_database, _kind, Sealer) = (database, kind, sealer);

    public ASealer Sealer { get; }

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public static async Task<AHistory> SealedAsync(TestDatabase database, StoreKind kind)
    {
        var history = new AHistory(database, kind, await ASealer.OnAsync(database));
        foreach (var (i, line) in Lines.Index())
        {
            await history.AddAsync(100 * (i + 1), line.Job, line.Kind, line.Attempt, line.Detail, Start + (120_000_000L * i));
            if (i % 4 == 3)
            {
                await history.Sealer.RunAsync();
            }
        }

        return history;
    }

    /// <summary>Adds an entry as the owner of the table can.</summary>
    public Task AddAsync(long id, string job, string kind, int attempt, string detail, long at = Start)
    {
        var bytes = Convert.ToHexString(Encoding.UTF8.GetBytes(detail));
        return _database.ExecuteAsync(
            $"""
            insert into timeline (entry_id, job_id, at, kind, attempt, actor, detail) {(
                _kind == StoreKind.Postgres ? "overriding system value" : ""
            )}
            values ({id}, '{job}', {at}, '{kind}', {attempt}, 'somebody', {(_kind == StoreKind.Postgres ? $"'\\x{bytes}'" : $"x'{bytes}'")})
            """
        );
    }

    /// <summary>Does something that only the owner of the tables can.</summary>
    public async Task TamperAsync(string sql)
    {
        await Tables.UnlockAsync(_database, _kind);
        foreach (var statement in sql.Split(';'))
        {
            await _database.ExecuteAsync(statement);
        }
    }

    /// <summary>The report of a check with the public key and, by default, the file of checkpoints.</summary>
    public async Task<AuditReport> CheckAsync(bool withFile = true)
    {
        await using var history = await StoreHistory.OpenAsync(_database.Contexts, Stop);
        return await new HistoryCheck(Trusted(withFile)).RunAsync(new LinesOnly(history), Stop);
    }

    /// <summary>The report of a check of an export.</summary>
    public async Task<AuditReport> CheckExportAsync(bool withFile = true)
    {
        var file = await ExportAsync();
        await using var history = ExportHistory.Open(file);
        return await new HistoryCheck(Trusted(withFile)).RunAsync(history, Stop);
    }

    public async Task<string> ExportAsync()
    {
        var file = Path.Combine(Sealer.Folder, "export.ndjson");
        await using var from = await StoreHistory.OpenAsync(_database.Contexts, Stop);
        await using var to = new StreamWriter(file);
        await ExportHistory.WriteAsync(from, to, Stop);
        return file;
    }

    /// <summary>The present entries.</summary>
    public async Task<List<HistoryEntry>> EntriesAsync()
    {
        await using var history = await StoreHistory.OpenAsync(_database.Contexts, Stop);
        return await history.EntriesAsync(Stop).ToListAsync(Stop);
    }

    public void Dispose()
    {
        Sealer.Dispose();
        Directory.Delete(Sealer.Folder, recursive: true);
    }

    /// <summary>The jobs of this history have no rows.</summary>
    private sealed class LinesOnly(IHistory history) : IHistory
    {
        public bool HasRows => true;

        public IAsyncEnumerable<Dispatcher.Storage.Rows.TimelineCheckpoint> CheckpointsAsync(CancellationToken cancellationToken) =>
            history.CheckpointsAsync(cancellationToken);

        public IAsyncEnumerable<byte[]> RetentionsAsync(CancellationToken cancellationToken) => history.RetentionsAsync(cancellationToken);

        public IAsyncEnumerable<HistoryEntry> EntriesAsync(CancellationToken cancellationToken) => history.EntriesAsync(cancellationToken);

        public IAsyncEnumerable<IncompleteJob> RowGapsAsync(CancellationToken cancellationToken) => AsyncEnumerable.Empty<IncompleteJob>();

        public ValueTask DisposeAsync() => history.DisposeAsync();
    }

    private TrustedCheckpoints Trusted(bool withFile) =>
        TrustedCheckpoints.Read([AuditFolder.PublicKeyIn(Sealer.Folder)], withFile ? [Sealer.Audit.Checkpoints] : []);
}
