using Dispatcher.Base;
using Dispatcher.Policies;
using Dispatcher.Policies.Files;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Dispatcher.Enforcement;

/// <summary>
/// Reads the policy folder every second and puts a new valid bundle in force, for every process, unless a bundle is pinned. After a start,
/// the first valid bundle is only put in force if it never was. A broken folder changes nothing and is reported as an error.
/// </summary>
internal sealed partial class PolicyFolder(
    BundleActivation activation,
    IDbContextFactory<DispatcherDb> database,
    ServerSettings settings,
    CurrentBundle current,
    DispatcherMetrics metrics,
    IOptions<PolicyFolderOptions> options,
    TimeProvider time,
    ILogger<PolicyFolder> logger
) : Loop(Period, time, logger)
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    /// <summary>A folder is read in milliseconds. An unavailable network file system may never answer.</summary>
    private static readonly TimeSpan MaxReadTime = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim _lock = new(1, 1);
    private string? _seen;
    private string? _proposed;
    private string? _reported;

    /// <summary>True until the first valid bundle was proposed, or until a person ended a pin at this process.</summary>
    private bool _isStart = true;
    private IReadOnlyList<BundleFile> _files = [];
    private Task<IReadOnlyList<BundleFile>>? _reading;
    private BundleLoadResult _load = Bundle.Load([]);
    private long _validAt = time.GetTimestamp();
    private long _readAt = time.GetTimestamp();

    public string FullPath { get; } = Path.GetFullPath(options.Value.Path);

    /// <summary>Reads the files of a folder. Tests replace it by a read that hangs.</summary>
    internal Func<string, IReadOnlyList<BundleFile>> Read { get; init; } = BundleFolder.Read;

    /// <summary>The result of the last reading.</summary>
    public FolderReading LastReading { get; private set; } = new(null, []);

    /// <summary>
    /// How long ago the last complete reading ended. It grows while a read hangs, as on an unavailable network file system.
    /// </summary>
    public TimeSpan ReadingAge => Time.GetElapsedTime(Interlocked.Read(ref _readAt));

    /// <summary>
    /// Reads the folder once. A new valid bundle is put in force if the reading before found the same one, because a folder that is being
    /// copied may be valid for a moment and lack a rule. A bundle that appeared under a pin is not put in force later: the person who ends
    /// the pin sees what the folder holds.
    /// </summary>
    public override async Task OnceAsync(CancellationToken cancellationToken)
    {
        await _lock.WaitAsync(cancellationToken);
        try
        {
            var serial = current.InForce.Serial;
            var (bundle, isSteady) = await ReadAsync(cancellationToken);
            if (bundle is not null && isSteady && bundle.Hash != _proposed)
            {
                await ProposeAsync(bundle, serial, cancellationToken);
            }
        }
        finally
        {
            _lock.Release();
        }
    }

    /// <summary>
    /// Ends a pin: the bundle in the folder is put in force. This too needs two equal readings, the last one of the loop or further ones at
    /// its period. Returns what was written. Null: no bundle is pinned.
    /// </summary>
    public async Task<Activation?> UnpinAsync(string actor, CancellationToken cancellationToken)
    {
        await _lock.WaitAsync(cancellationToken);
        try
        {
            var (bundle, isSteady) = await ReadAsync(cancellationToken);
            while (!isSteady)
            {
                await Task.Delay(Period, Time, cancellationToken);
                (bundle, isSteady) = await ReadAsync(cancellationToken);
            }

            var written = await activation.UnpinAsync(bundle, actor, cancellationToken);
            if (written is not null)
            {
                // After a broken folder every valid bundle counts as new, even one that was in force before this process started.
                (_proposed, _isStart) = (bundle?.Hash, false);
            }

            return written;
        }
        finally
        {
            _lock.Release();
        }
    }

    /// <summary>
    /// Without a bundle in force every job is denied, so a start puts the bundle of the folder in force at once. Otherwise a start
    /// waits for the second equal reading, like any change.
    /// </summary>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        var (inForce, _, serial) = current.InForce;
        if ((await ReadAsync(cancellationToken)).Bundle is { } bundle && inForce.Length == 0)
        {
            await ProposeAsync(bundle, serial, cancellationToken);
        }

        await base.StartAsync(cancellationToken);
    }

    public override void Dispose()
    {
        _lock.Dispose();
        base.Dispose();
    }

    /// <summary>Returns the bundle (null: the folder is broken), and whether the reading before found the same.</summary>
    private async Task<(Bundle? Bundle, bool IsSteady)> ReadAsync(CancellationToken cancellationToken)
    {
        var load = await LoadAsync(cancellationToken);
        LastReading = new FolderReading(load.Bundle?.Hash, load.Errors);
        if (load.Bundle is null)
        {
            ReportBroken(string.Join("; ", load.Errors.Select(error => $"{error.Where}: {error.Message} {error.Fix}")));
        }
        else
        {
            if (_reported is not null)
            {
                Log.ValidAgain(logger, options.Value.Path, load.Bundle.Hash);
            }

            _reported = null;
            _validAt = Time.GetTimestamp();
        }

        metrics.FolderSeen(load.Errors.Count, load.Bundle is null ? Time.GetElapsedTime(_validAt) : TimeSpan.Zero);
        var isSteady = load.Bundle?.Hash == _seen;
        _seen = load.Bundle?.Hash;
        return (load.Bundle, isSteady);
    }

    private async Task<BundleLoadResult> LoadAsync(CancellationToken cancellationToken)
    {
        try
        {
            // On a separate thread, because a read cannot be cancelled. The next reading waits for a read that hangs and starts no second
            // one.
            _reading ??= Task.Factory.StartNew(
                () => Read(Existing(options.Value.Path)),
                CancellationToken.None,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default
            );
            if (await Task.WhenAny(_reading, Task.Delay(MaxReadTime, Time, cancellationToken)) != _reading)
            {
                cancellationToken.ThrowIfCancellationRequested();
                return Unreadable(
                    $"The read has not ended within {MaxReadTime.TotalSeconds:F0} s.",
                    "Check the file system that holds the folder."
                );
            }

            var read = _reading;
            _reading = null;
            Interlocked.Exchange(ref _readAt, Time.GetTimestamp());

            // Parse only changed files: parsing a large bundle every second would cost more than all its evaluations.
            var files = await read;
            if (!files.SequenceEqual(_files, BundleFileComparer.Instance))
            {
                (_files, _load) = (files, Bundle.Load(files));
            }

            return _load;
        }
        catch (DirectoryNotFoundException)
        {
            return Unreadable("The folder does not exist.", "Name the policy folder with --policies or DISPATCHER_POLICIES.");
        }
#pragma warning disable CA1031 // Otherwise the loop would fail, and readiness and status would not report the unreadable folder.
        catch (Exception unreadable) when (!cancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
        {
            return Unreadable(unreadable.Message, "Let the server's user read the folder and every file in it.");
        }
    }

    private static string Existing(string folder) => Directory.Exists(folder) ? folder : throw new DirectoryNotFoundException();

    private BundleLoadResult Unreadable(string message, string fix) =>
        new(
            null,
            [
                new BundleError
                {
                    Where = options.Value.Path,
                    Code = "unreadable_folder",
                    Message = message,
                    Fix = fix,
                },
            ]
        );

    private async Task ProposeAsync(Bundle bundle, long serial, CancellationToken cancellationToken)
    {
        if (_isStart && await IsOutdatedAsync(bundle, cancellationToken))
        {
            Log.Outdated(logger, options.Value.Path, bundle.Hash, current.InForce.Hash);
        }
        else
        {
            var proposal = await activation.ProposeAsync(bundle, serial, cancellationToken);
            if (proposal == Proposal.Overtaken)
            {
                return;
            }

            if (proposal == Proposal.Pinned)
            {
                Log.Pinned(logger, options.Value.Path, bundle.Hash);
            }
        }

        (_proposed, _isStart) = (bundle.Hash, false);
    }

    /// <summary>
    /// Whether the first valid bundle of this process was in force before. Its folder is then outdated and must not roll back what other
    /// servers have put in force since. An embedded server has no other servers, and under a pin no folder is outdated.
    /// </summary>
    private async Task<bool> IsOutdatedAsync(Bundle bundle, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        return !settings.IsEmbedded
            && current.InForce.Hash is not ""
            && bundle.Hash != current.InForce.Hash
            && !await db.ActiveBundle.AnyAsync(row => row.Pinned, cancellationToken)
            && await db.Bundles.AnyAsync(stored => stored.Hash == bundle.Hash, cancellationToken);
    }

    /// <summary>Logs and counts each distinct error once, not at every reading.</summary>
    private void ReportBroken(string errors)
    {
        if (errors != _reported)
        {
            Log.Broken(logger, options.Value.Path, errors);
            metrics.Refused();
            _reported = errors;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.PolicyFolderBroken,
            LogLevel.Error,
            "The policy folder {Path} is broken; the bundle in force stays until the folder is valid: {Errors}"
        )]
        public static partial void Broken(ILogger logger, string path, string errors);

        [LoggerMessage(EventIds.PolicyFolderValid, LogLevel.Information, "The policy folder {Path} is valid again and holds bundle {Hash}")]
        public static partial void ValidAgain(ILogger logger, string path, string hash);

        [LoggerMessage(
            EventIds.PolicyFolderOutdated,
            LogLevel.Warning,
            "The policy folder {Path} holds bundle {Hash}, which was in force before {InForce}; a start does not put it in force again. "
                + "To go back to it, change the folder while the server runs"
        )]
        public static partial void Outdated(ILogger logger, string path, string hash, string inForce);

        [LoggerMessage(
            EventIds.PolicyFolderPinned,
            LogLevel.Information,
            "The policy folder {Path} holds bundle {Hash}, but another bundle is pinned. "
                + "The pinned bundle stays in force until \"dispatcher policy unpin\""
        )]
        public static partial void Pinned(ILogger logger, string path, string hash);
    }
}
