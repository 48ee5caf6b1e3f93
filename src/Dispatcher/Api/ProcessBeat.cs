using Dispatcher.Base;
using Dispatcher.Enforcement;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Api;

/// <summary>
/// Writes every 2 s that this process runs and which bundle it uses. The write is committed like every other, and so also proves that the
/// store accepts writes.
/// </summary>
internal sealed partial class ProcessBeat(
    ProcessRegister register,
    StoreHealth health,
    CurrentBundle current,
    PolicyFolder folder,
    TimeProvider time,
    ILogger<ProcessBeat> logger
) : Loop(TimeSpan.FromSeconds(2), time, logger)
{
    private readonly Guid _instance = Guid.CreateVersion7(time.GetUtcNow());

    protected override TimeSpan MaxRound => TimeSpan.FromSeconds(2);

    public override async Task OnceAsync(CancellationToken cancellationToken)
    {
        try
        {
            await NoteAsync(cancellationToken);
            health.Proved(this);
        }
        catch (Exception fault) when (fault.IsStoreUnavailable() || fault is OperationCanceledException)
        {
            health.Fails(this, fault);
            throw;
        }
    }

    private Task NoteAsync(CancellationToken cancellationToken)
    {
        var reading = folder.LastReading;
        return register.NoteAsync(
            new RunningProcess
            {
                InstanceId = _instance,
                Host = Environment.MachineName,
                Pid = Environment.ProcessId,
                Version = StatusEndpoints.Version,
                PolicyHash = current.InForce.Hash,
                FolderHash = reading.Hash,
                FolderErrors = reading.Errors.Count,
            },
            cancellationToken
        );
    }

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await OnceAsync(cancellationToken);
        await base.StartAsync(cancellationToken);
    }

    protected override async Task StoppedAsync(CancellationToken cancellationToken)
    {
        try
        {
            await register.RemoveAsync(_instance, cancellationToken);
        }
#pragma warning disable CA1031 // On any fault the row becomes stale by itself, and the stop must continue.
        catch (Exception reason)
#pragma warning restore CA1031
        {
            Log.Left(logger, reason);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.ProcessRowLeft,
            LogLevel.Information,
            "Failed to remove this process from the list of processes; the list shows it as stale for a day"
        )]
        public static partial void Left(ILogger logger, Exception reason);
    }
}
