using System.Diagnostics.Metrics;
using Dispatcher.Audit.Sealing;
using Dispatcher.Base;
using Dispatcher.Storage;
using Dispatcher.StoreTests.Databases;
using Microsoft.Extensions.Logging.Abstractions;

namespace Dispatcher.StoreTests.Audit.Sealing;

/// <summary>A process that seals a database. It has a new audit folder unless it is given one.</summary>
internal sealed class ASealer : IDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly StoreClock _clock;

    private ASealer(TestDatabase database, string? folder, TimeProvider time)
    {
        Folder = folder ?? Directory.CreateTempSubdirectory("dispatcher-audit-").FullName;
        Audit = AuditFolder.Open(Folder, privateKey: null);
        Table = new SealTable(database.Contexts);
        _clock = new StoreClock(database.Store, time, NullLogger<StoreClock>.Instance);
        Checkpoints = new Checkpoints(Table, Audit, _clock, NullLogger<Checkpoints>.Instance);
        Sealer = new Sealer(
            Table,
            Checkpoints,
            new DispatcherMetrics(_services.GetRequiredService<IMeterFactory>()),
            time,
            NullLogger<Sealer>.Instance
        );
    }

    public string Folder { get; }

    public AuditFolder Audit { get; }

    public SealTable Table { get; }

    public Checkpoints Checkpoints { get; }

    public Sealer Sealer { get; }

    public static async Task<ASealer> OnAsync(TestDatabase database, string? folder = null, TimeProvider? time = null)
    {
        var sealer = new ASealer(database, folder, time ?? TimeProvider.System);
        await sealer._clock.OnceAsync(TestContext.Current.CancellationToken);
        return sealer;
    }

    /// <summary>Seals and signs the committed entries.</summary>
    public async Task RunAsync()
    {
        await Sealer.SealAsync(TestContext.Current.CancellationToken);
        await Checkpoints.OnceAsync(now: true, TestContext.Current.CancellationToken);
    }

    public void Dispose()
    {
        Audit.Dispose();
        Sealer.Dispose();
        _clock.Dispose();
        _services.Dispose();
    }
}
