using Dispatcher.Api;
using Dispatcher.Base;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Dispatcher.UnitTests.Hosting;
using Dispatcher.Web;

namespace Dispatcher.UnitTests.Api;

/// <summary><c>GET /api/status</c> on a store with problems.</summary>
public sealed class StatusTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Status_shows_what_waits_with_its_age_and_its_problems_with_the_runbook()
    {
        await using var server = await AServer.MigratedAsync();
        await server.Get<StoreClock>().OnceAsync(Stop);
        var now = Timestamps.Micros(TimeProvider.System.GetUtcNow());
        await server.StoreAsync(
            Letter("platform", now - Timestamps.Micros(TimeSpan.FromDays(8))),
            Letter("billing", now - 1_000_000),
            AJob.ToTest().With(job => job with { DueAt = now - Timestamps.Micros(TimeSpan.FromMinutes(5)) }).Stored
        );

        var (_, status) = await server.AskAsync("GET", "/api/status", ACaller.With(Role.Operator));

        var problems = status
            .GetProperty("problems")
            .EnumerateArray()
            .Select(problem => $"{problem.GetProperty("alert")} {problem.GetProperty("runbook")}")
            .ToList();
        Assert.Contains("DispatcherDeadLettersOld ops/runbook.md#dispatcherdeadlettersold", problems);
        Assert.Contains("DispatcherDeadLettersNew ops/runbook.md#dispatcherdeadlettersnew", problems);
        Assert.Contains("DispatcherNoBundle ops/runbook.md#dispatchernobundle", problems);
        Assert.True(status.GetProperty("dead_letters").GetProperty("platform").GetProperty("breach").GetBoolean());
        Assert.False(status.GetProperty("dead_letters").GetProperty("billing").GetProperty("breach").GetBoolean());
        Assert.Equal(1, status.GetProperty("jobs").GetProperty("accepted").GetInt32());
        Assert.InRange(
            TimeProvider.System.GetUtcNow() - status.GetProperty("oldest_due_at").GetDateTimeOffset(),
            TimeSpan.FromMinutes(5),
            TimeSpan.FromMinutes(6)
        );
        Assert.Contains("has been due since", status.GetProperty("warnings").ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Status_for_other_roles_has_the_problems_without_hosts_and_owners()
    {
        await using var server = await AServer.MigratedAsync();
        await server.Get<StoreClock>().OnceAsync(Stop);
        await server.StoreAsync(Letter("platform", 1));

        var (_, status) = await server.AskAsync("GET", "/api/status", ACaller.With(Role.Producer));

        Assert.Contains("DispatcherDeadLettersOld", status.GetProperty("problems").ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("platform", status.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Status_names_the_process_with_another_bundle()
    {
        await using var server = await AServer.MigratedAsync();
        await server.Get<StoreClock>().OnceAsync(Stop);
        await server.Get<ProcessRegister>().NoteAsync(Process("old-host"), Stop);
        await server.StoreAsync(new StoredBundle { Hash = "new", Archive = [] });
        await server.StoreAsync(
            new BundleInForce
            {
                Serial = 1,
                Hash = "new",
                ActivatedAt = 1,
                Actor = "ada",
            }
        );

        var (_, status) = await server.AskAsync("GET", "/api/status", ACaller.With(Role.Admin));

        Assert.Contains("Server old-host/7 uses the bundle old", status.GetProperty("problems").ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Concurrent_callers_share_one_measurement_that_no_caller_ends()
    {
        await using var server = await AServer.MigratedAsync();
        await server.Get<StoreClock>().OnceAsync(Stop);
        var figures = server.Get<StatusFigures>();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => figures.ReadAsync(new CancellationToken(canceled: true)));

        var counts = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => figures.ReadAsync(Stop)));

        Assert.Single(counts.Distinct(ReferenceEqualityComparer.Instance));
    }

    [Fact]
    public async Task Status_without_the_store_names_it_as_the_problem()
    {
        await using var server = await AServer.MigratedAsync();
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        File.Move(EmbeddedFiles.Database(server.Data), EmbeddedFiles.Database(server.Data) + ".away");
        Directory.CreateDirectory(EmbeddedFiles.Database(server.Data));

        var (code, status) = await server.AskAsync("GET", "/api/status", ACaller.With(Role.Operator));

        Assert.Equal(StatusCodes.Status200OK, code);
        Assert.Contains("DispatcherNotReady", status.GetProperty("problems").ToString(), StringComparison.Ordinal);
        Assert.Equal(System.Text.Json.JsonValueKind.Null, status.GetProperty("jobs").ValueKind);
    }

    private static RunningProcess Process(string host) =>
        new()
        {
            InstanceId = Guid.CreateVersion7(),
            Host = host,
            Pid = 7,
            Version = "1.0.0",
            PolicyHash = "old",
            FolderErrors = 0,
        };

    private static DeadLetter Letter(string owner, long at) =>
        new()
        {
            DeadLetterId = Guid.CreateVersion7(),
            At = at,
            FaultClass = FaultClasses.Terminal,
            Owner = owner,
            Topic = "test.run",
            Principal = "billing",
        };
}
