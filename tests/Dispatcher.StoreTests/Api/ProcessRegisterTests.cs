using Dispatcher.Api;
using Dispatcher.Base;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Microsoft.Extensions.Logging.Abstractions;

namespace Dispatcher.StoreTests.Api;

/// <summary>The register of server processes.</summary>
public abstract class ProcessRegisterTests(StoreKind kind) : StoreTest(kind)
{
    [Fact]
    public async Task Process_has_one_row_with_its_last_report()
    {
        var register = await RegisterAsync();
        var first = AProcess(1);
        await register.NoteAsync(first, Stop);
        await register.NoteAsync(AProcess(2), Stop);
        await Database.ExecuteAsync("update processes set started_at = started_at - 5000000, seen_at = seen_at - 5000000 where pid = 1");

        await register.NoteAsync(first with { PolicyHash = "policy-2", FolderHash = null, FolderErrors = 3 }, Stop);

        var rows = await register.ListAsync(Stop);
        Assert.Equal([1, 2], rows.Select(row => row.Pid));
        Assert.Equal(
            ("host-1", "1.2.3", "policy-2", null, 3, false),
            (rows[0].Host, rows[0].Version, rows[0].PolicyHash, rows[0].FolderHash, rows[0].FolderErrors, rows[0].Stale)
        );
        Assert.True(rows[0].SeenAt - rows[0].StartedAt > TimeSpan.FromSeconds(4), "Only the time it was seen at is new.");
    }

    [Fact]
    public async Task Process_is_stale_after_a_minute_without_a_report_and_removed_after_a_day()
    {
        var register = await RegisterAsync();
        for (var pid = 1; pid <= 4; pid++)
        {
            await register.NoteAsync(AProcess(pid), Stop);
        }

        await UnseenAsync(2, TimeSpan.FromSeconds(61));
        await UnseenAsync(3, TimeSpan.FromHours(23));
        await UnseenAsync(4, TimeSpan.FromHours(25));
        await register.NoteAsync(AProcess(5), Stop);

        Assert.Equal(
            [(1, false), (2, true), (3, true), (5, false)],
            (await register.ListAsync(Stop)).Select(row => (row.Pid, row.Stale)).Order()
        );
    }

    [Fact]
    public async Task Stopped_process_removes_only_its_own_row()
    {
        var register = await RegisterAsync();
        var process = AProcess(1);
        await register.NoteAsync(process, Stop);
        await register.NoteAsync(AProcess(2), Stop);

        await register.RemoveAsync(process.InstanceId, Stop);

        Assert.Equal(2, Assert.Single(await register.ListAsync(Stop)).Pid);
    }

    private Task UnseenAsync(int pid, TimeSpan since) =>
        Database.ExecuteAsync($"update processes set seen_at = seen_at - {Timestamps.Micros(since)} where pid = {pid}");

    private async Task<ProcessRegister> RegisterAsync()
    {
        var clock = new StoreClock(Store, TimeProvider.System, NullLogger<StoreClock>.Instance);
        await clock.OnceAsync(Stop);
        return new ProcessRegister(Database.Contexts, clock);
    }

    private static RunningProcess AProcess(int pid) =>
        new()
        {
            InstanceId = Guid.CreateVersion7(),
            Host = "host-1",
            Pid = pid,
            Version = "1.2.3",
            PolicyHash = AJob.Policy,
            FolderHash = AJob.Policy,
            FolderErrors = 0,
        };
}

public sealed class PostgresProcessRegisterTests() : ProcessRegisterTests(StoreKind.Postgres);

public sealed class SqliteProcessRegisterTests() : ProcessRegisterTests(StoreKind.Sqlite);
