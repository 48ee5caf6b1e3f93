using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.ReferenceWorker;
using Dispatcher.ReferenceWorker.Processes;
using Dispatcher.Worker;
using Dispatcher.Worker.Effects;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Dispatcher.UnitTests.ReferenceWorker;

/// <summary>A run as the reference handlers receive it, with a temporary folder.</summary>
internal sealed class ARun : IDisposable
{
    private readonly PoolEffectStore _store;
    private readonly Guid _job = Guid.CreateVersion7();
    private string _payload = "{}";
    private Constraints _constraints = new();
    private Dictionary<string, string> _labels = [];
    private int _attempt = 1;

    public ARun()
    {
        Root = Directory.CreateTempSubdirectory("run-").FullName;
        Settings = new ReferenceWorkerOptions { RepoRoot = Root, ShellRoot = Root };
        Programs = new Programs(Log);
        _store = PoolEffectStore.Open(
            Path.Combine(Directory.CreateDirectory(Root + "-store").FullName, "effects.db"),
            TimeProvider.System,
            NullLogger.Instance
        );
    }

    public string Root { get; }

    public Programs Programs { get; }

    /// <summary>The log lines about programs.</summary>
    public ALog<Programs> Log { get; } = new();

    public ReferenceWorkerOptions Settings { get; }

    public IOptions<ReferenceWorkerOptions> Options => Microsoft.Extensions.Options.Options.Create(Settings);

    public ARun With(string payload)
    {
        _payload = payload;
        return this;
    }

    public ARun Constrained(Constraints constraints)
    {
        _constraints = constraints;
        return this;
    }

    public ARun Labelled(string key, string value)
    {
        _labels = new Dictionary<string, string> { [key] = value };
        return this;
    }

    public ARun Attempt(int attempt)
    {
        _attempt = attempt;
        return this;
    }

    public async Task<JsonElement> By(IJobHandler handler, CancellationToken? cancellationToken = null)
    {
        await _store.CreateSchemaAsync(TestContext.Current.CancellationToken);
        var run = new JobRun
        {
            Idempotent = false,
            JobId = _job,
            Attempt = _attempt,
            RunId = Guid.CreateVersion7(),
            Pool = "test",
            Topic = "job.test",
            Principal = "tester",
            Labels = _labels,
            Payload = JsonSerializer.Deserialize<JsonElement>(_payload),
            Constraints = _constraints,
            MaxOutputBytes = (int)(_constraints.MaxOutputBytes ?? 65_536),
            JobHash = "",
            PolicyHash = "",
            Effects = new RunEffects(_store, new EffectOwner(_job, _attempt, Guid.CreateVersion7()), false, () => true),
        };
        return (await handler.RunAsync(run, cancellationToken ?? TestContext.Current.CancellationToken)).Value!.Value;
    }

    public async Task<JobFaultException> FaultOf(IJobHandler handler) => await Assert.ThrowsAsync<JobFaultException>(() => By(handler));

    public void Dispose()
    {
        Programs.Dispose();
        _store.Dispose();
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        Directory.Delete(Root, recursive: true);
        Directory.Delete(Root + "-store", recursive: true);
    }
}
