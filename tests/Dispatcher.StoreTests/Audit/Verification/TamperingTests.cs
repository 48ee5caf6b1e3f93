using Dispatcher.Audit.Sealing;
using Dispatcher.Audit.Verification;
using Dispatcher.Jobs;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.StoreTests.Audit.Verification;

/// <summary>
/// After each change that the owner of the tables can make to the history, the check names the first bad entry and its fault. It does so
/// from the database and from an export. Entry 500 has number 6.
/// </summary>
public abstract class TamperingTests(StoreKind kind) : StoreTest(kind)
{
    private const string RenumberAfter6 =
        "update timeline_seals set seq = -(seq - 1) where seq > 6; update timeline_seals set seq = -seq where seq < 0";
    private const string MakeRoomAt6 =
        "update timeline_seals set seq = -(seq + 1) where seq >= 6; update timeline_seals set seq = -seq where seq < 0";

    private static readonly Dictionary<string, string> Changes = new()
    {
        ["entry_id"] = "555",
        ["job_id"] = $"'{AHistory.C}'",
        ["at"] = "at + 1",
        ["kind"] = "'returned'",
        ["attempt"] = "attempt + 1",
        ["actor"] = "'another'",
        ["detail"] = "(select detail from timeline where entry_id = 300)",
    };

    private static readonly (string Sql, Tampering Kind)[] Attacks =
    [
        ("update timeline_seals set hash = (select hash from timeline_seals where seq = 2) where seq = 6", Tampering.Altered),
        ("update timeline_seals set job_previous = 0 where seq = 6", Tampering.Altered),
        ($"update timeline_seals set job_id = '{AHistory.C}' where seq = 6", Tampering.Altered),
        ("update timeline_seals set entry_id = 555 where seq = 6", Tampering.Altered),
        ("update timeline_seals set seq = 1000 where seq = 6", Tampering.Missing),
        ("delete from timeline where entry_id = 500", Tampering.Missing),
        ("delete from timeline where entry_id = 500; delete from timeline_seals where seq = 6", Tampering.Missing),
        ($"delete from timeline where entry_id = 500; delete from timeline_seals where seq = 6; {RenumberAfter6}", Tampering.Missing),
        (SwapEntries(600), Tampering.Reordered),
        (SwapEntries(1000), Tampering.Reordered),
        (SwapSeals(7), Tampering.Reordered),
        (SwapSeals(11), Tampering.Reordered),
    ];

    [Fact]
    public async Task Intact_history_has_no_finding()
    {
        using var history = await AHistory.SealedAsync(Database, Kind);

        foreach (var report in new[] { await history.CheckAsync(), await history.CheckExportAsync() })
        {
            Assert.True(report.Ok, report.Finding?.Message ?? string.Join("; ", report.IncompleteJobs));
            Assert.Equal(
                (13, 0, 6, 3, true, 3, 1),
                (
                    report.Sealed,
                    report.Unsealed,
                    report.Checkpoints,
                    report.CheckpointsOfFiles,
                    report.Signatures,
                    report.Dispatches,
                    report.HighRisk
                )
            );
            Assert.DoesNotContain(report.Notes, note => !note.Contains("An export has no rows", StringComparison.Ordinal));
        }
    }

    /// <summary>
    /// Every column of the model, so that a new one that is not sealed fails here. In one test, since each test costs a database.
    /// </summary>
    [Fact]
    public async Task Change_of_any_column_is_named()
    {
        using var history = await AHistory.SealedAsync(Database, Kind);
        var columns = await ReadAsync(db =>
            Task.FromResult(
                db.Model.FindEntityType(typeof(TimelineEntry))!.GetProperties().Select(property => property.GetColumnName()).ToList()
            )
        );
        await history.TamperAsync("create table kept as select * from timeline");

        foreach (var column in columns)
        {
            await history.TamperAsync($"update timeline set {column} = {Changes[column]} where entry_id = 500");
            await AssertFoundAsync(history, Tampering.Altered, 6, 500, column);
            await history.TamperAsync("delete from timeline; insert into timeline select * from kept");
        }

        Assert.True((await history.CheckAsync()).Ok);
    }

    [Fact]
    public async Task Every_kind_of_tampering_with_entry_500_is_named()
    {
        using var history = await AHistory.SealedAsync(Database, Kind);
        await history.TamperAsync("create table kept as select * from timeline; create table kept_seals as select * from timeline_seals");

        foreach (var (sql, tampering) in Attacks)
        {
            await history.TamperAsync(sql);
            await AssertFoundAsync(history, tampering, 6, null, sql);
            await history.TamperAsync(
                "delete from timeline; insert into timeline select * from kept; "
                    + "delete from timeline_seals; insert into timeline_seals select * from kept_seals"
            );
        }

        Assert.True((await history.CheckAsync()).Ok);
    }

    [Fact]
    public async Task Inserted_entry_is_named_with_and_without_a_seal()
    {
        using var history = await AHistory.SealedAsync(Database, Kind);
        await history.TamperAsync("select 1");
        await history.AddAsync(450, AHistory.A, "approved", 0, "{}", at: 1_700_000_400_000_000);
        await AssertFoundAsync(history, Tampering.Inserted, null, 450, "no seal");

        await history.TamperAsync(
            $"{MakeRoomAt6}; insert into timeline_seals (seq, entry_id, job_id, job_previous, hash) "
                + $"select 6, 450, '{AHistory.A}', 0, hash from timeline_seals where seq = 1"
        );
        await AssertFoundAsync(history, Tampering.Inserted, 6, 450, "a seal that does not fit");

        // As the sealer would make it.
        var lines = await history.EntriesAsync();
        var (before, inserted) = (lines[4].Seal!, lines[5].Entry!);
        var hash = Convert.ToHexString(SealHash.Of(inserted, new SealPosition(6, before.Hash, 0, [])));
        await history.TamperAsync(
            $"update timeline_seals set hash = {(Kind == StoreKind.Postgres ? $"'\\x{hash}'" : $"x'{hash}'")} where seq = 6"
        );
        await AssertFoundAsync(history, Tampering.Inserted, 6, 450, "a seal that fits");
    }

    [Fact]
    public async Task Tail_cut_with_its_seals_and_checkpoints_is_found_by_a_checkpoint_file()
    {
        using var history = await AHistory.SealedAsync(Database, Kind);

        await history.TamperAsync(
            "delete from timeline where entry_id > 800; delete from timeline_seals where seq > 9; "
                + "delete from timeline_checkpoints where size > 9"
        );

        await AssertFoundAsync(history, Tampering.Truncated, 10, null, "with a file");
        var without = await history.CheckAsync(withFile: false);
        Assert.True(without.Ok);
        Assert.Contains("may have rewritten", Assert.Single(without.Notes), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tail_cut_without_its_checkpoints_is_found_without_a_file()
    {
        using var history = await AHistory.SealedAsync(Database, Kind);

        await history.TamperAsync("delete from timeline where entry_id > 800; delete from timeline_seals where seq > 9");

        Assert.Equal(Tampering.Truncated, (await history.CheckAsync(withFile: false)).Finding?.Kind);
    }

    [Fact]
    public async Task Removed_job_with_the_rest_sealed_again_is_found_by_the_checkpoints()
    {
        using var history = await AHistory.SealedAsync(Database, Kind);

        await history.TamperAsync(
            $"delete from timeline where job_id = '{AHistory.C}'; delete from timeline_seals; delete from timeline_checkpoints"
        );
        await history.Sealer.Table.SealAsync(new SealRange(0, []), 1_000, Stop);

        await AssertFoundAsync(history, Tampering.Rewritten, 1, null, "all of it");
        Assert.True((await history.CheckAsync(withFile: false)).Ok);
    }

    [Fact]
    public async Task Only_the_range_that_was_sealed_again_is_named()
    {
        using var history = await AHistory.SealedAsync(Database, Kind);

        await history.TamperAsync(
            "update timeline set actor = 'another' where entry_id = 1000; delete from timeline_seals where seq >= 11"
        );
        await history.Sealer.Table.SealAsync(new SealRange(0, []), 1_000, Stop);

        await AssertFoundAsync(history, Tampering.Rewritten, 10, null, "from number 10 on");
    }

    [Fact]
    public async Task Checkpoint_with_an_unknown_key_is_not_a_forgery_and_hides_none()
    {
        using var history = await AHistory.SealedAsync(Database, Kind);
        using var other = CheckpointKey.Create();
        var genuine = await history.Sealer.Table.LastCheckpointAsync(null, Stop) ?? throw new InvalidOperationException("There is one.");

        await history.Sealer.Table.AddAsync(other.Sign(genuine), Stop);
        await AssertFoundAsync(history, Tampering.UnknownKey, 13, null, "another key");
        await history.TamperAsync($"update timeline_checkpoints set at = at + 1 where size = 9");
        await AssertFoundAsync(history, Tampering.Forged, 9, null, "a changed field");
    }

    [Fact]
    public async Task Unsealed_entries_are_counted_and_are_not_a_finding()
    {
        using var history = await AHistory.SealedAsync(Database, Kind);
        await Store.RecordAsync([AnAcceptance.Of(AJob.New()).Entry], [], Stop);

        var report = await history.CheckAsync();

        Assert.Equal((true, 1L), (report.Ok, report.Unsealed));
        Assert.Contains(report.Notes, note => note.Contains("not sealed yet", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Cut_export_is_refused()
    {
        using var history = await AHistory.SealedAsync(Database, Kind);
        var file = await history.ExportAsync();
        var lines = await File.ReadAllLinesAsync(file, Stop);

        foreach (var cut in new[] { lines[..^1], [.. lines[..8], .. lines[9..]] })
        {
            await File.WriteAllLinesAsync(file, cut, Stop);
            await using var export = ExportHistory.Open(file);
            var refused = await Assert.ThrowsAsync<Dispatcher.Base.ExitException>(() =>
                new HistoryCheck(TrustedCheckpoints.Read([], [])).RunAsync(export, Stop)
            );
            Assert.Contains("the export is broken", refused.Message, StringComparison.Ordinal);
        }
    }

    private static string SwapEntries(long with) =>
        $"update timeline set entry_id = -1 where entry_id = 500; "
        + $"update timeline set entry_id = 500 where entry_id = {with}; update timeline set entry_id = {with} where entry_id = -1";

    private static string SwapSeals(long with) =>
        $"update timeline_seals set seq = -1 where seq = 6; "
        + $"update timeline_seals set seq = 6 where seq = {with}; update timeline_seals set seq = {with} where seq = -1";

    private static async Task AssertFoundAsync(AHistory history, Tampering kind, long? seq, long? entry, string what)
    {
        foreach (var report in new[] { await history.CheckAsync(), await history.CheckExportAsync() })
        {
            var seen = report.Finding;
            Assert.True(
                seen is not null && seen.Kind == kind && seen.Seq == seq && (entry is null || seen.EntryId == entry),
                $"{what}: {seen}"
            );
            Assert.False(report.Ok);
        }
    }
}

public sealed class PostgresTamperingTests() : TamperingTests(StoreKind.Postgres);

public sealed class SqliteTamperingTests() : TamperingTests(StoreKind.Sqlite);
