using Dispatcher.Base;
using Dispatcher.Policies;
using Dispatcher.Policies.Files;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Dispatcher.Enforcement;

/// <summary>
/// The folder proposes: when it holds a valid bundle that it did not hold before, that bundle is put in force, for every process, unless one is pinned; the first
/// that a process finds, only unless it was in force before. A broken folder changes nothing and is loud.
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

    /// <summary>A folder is read in milliseconds. A network file system that is away may never answer.</summary>
    private static readonly TimeSpan LongestRead = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim _one = new(1, 1);
    private string? _seen;
    private string? _proposed;
    private string? _complained;

    /// <summary>Until the first valid bundle of this process has been settled, or a person has said that this folder counts.</summary>
    private bool _isStart = true;
    private IReadOnlyList<BundleFile> _files = [];
    private Task<IReadOnlyList<BundleFile>>? _reading;
    private BundleLoadResult _load = Bundle.Load([]);
    private long _validAt = time.GetTimestamp();
    private long _lookedAt = time.GetTimestamp();

    public string FullPath { get; } = Path.GetFullPath(options.Value.Path);

    /// <summary>Reads the files of a folder. A test puts one here that does not end.</summary>
    internal Func<string, IReadOnlyList<BundleFile>> Read { get; init; } = BundleFolder.Read;

    /// <summary>What the folder held when it was last looked at.</summary>
    public FolderLook LastLook { get; private set; } = new(null, []);

    /// <summary>
    /// How long ago the folder was last read to its end. Grows while a read does not return, as on a network file system that is away.
    /// </summary>
    public TimeSpan LookAge => Time.GetElapsedTime(Interlocked.Read(ref _lookedAt));

    /// <summary>
    /// Looks at the folder; puts in force what is new and valid and was the same at the look before: a folder that is just being copied may be valid for a moment
    /// and lack a rule. What was new while a bundle was pinned is not put in force later: the pin's end is a person's, who is told what the folder holds.
    /// </summary>
    public override async Task OnceAsync(CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            var serial = current.InForce.Serial;
            var (bundle, isSteady) = await LookAsync(cancellationToken);
            if (bundle is not null && isSteady && bundle.Hash != _proposed)
            {
                await SettleAsync(bundle, serial, cancellationToken);
            }
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>
    /// Ends a pin for a person: what the folder holds now is in force at once. Also this takes two looks that find the same, the loop's last one or one more after
    /// its period. Answers what was written; null: nothing is pinned.
    /// </summary>
    public async Task<Activation?> UnpinAsync(string actor, CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            var (bundle, isSteady) = await LookAsync(cancellationToken);
            while (!isSteady)
            {
                await Task.Delay(Period, Time, cancellationToken);
                (bundle, isSteady) = await LookAsync(cancellationToken);
            }

            var written = await activation.UnpinAsync(bundle, actor, cancellationToken);
            if (written is not null)
            {
                // Of a broken folder: whatever makes it valid is new, also what it held before, and what was in force before this process began.
                (_proposed, _isStart) = (bundle?.Hash, false);
            }

            return written;
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>Without a bundle every job is denied, so that the folder's is in force at once; with one, a start may wait for the second look as any change does.</summary>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        var (inForce, _, serial) = current.InForce;
        if ((await LookAsync(cancellationToken)).Bundle is { } bundle && inForce.Length == 0)
        {
            await SettleAsync(bundle, serial, cancellationToken);
        }

        await base.StartAsync(cancellationToken);
    }

    public override void Dispose()
    {
        _one.Dispose();
        base.Dispose();
    }

    /// <summary>Answers what the folder holds, null when it is broken, and whether the look before found the same.</summary>
    private async Task<(Bundle? Bundle, bool IsSteady)> LookAsync(CancellationToken cancellationToken)
    {
        var load = await LoadAsync(cancellationToken);
        LastLook = new FolderLook(load.Bundle?.Hash, load.Errors);
        if (load.Bundle is null)
        {
            Complain(string.Join("; ", load.Errors.Select(error => $"{error.Where}: {error.Message} {error.Fix}")));
        }
        else
        {
            if (_complained is not null)
            {
                Log.ValidAgain(logger, options.Value.Path, load.Bundle.Hash);
            }

            _complained = null;
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
            // On a thread of its own: reading cannot be cancelled. A read that hangs is waited for again, so that there is never a second one.
            _reading ??= Task.Factory.StartNew(
                () => Read(Existing(options.Value.Path)),
                CancellationToken.None,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default
            );
            if (await Task.WhenAny(_reading, Task.Delay(LongestRead, Time, cancellationToken)) != _reading)
            {
                cancellationToken.ThrowIfCancellationRequested();
                return Unreadable(
                    $"Reading it has not ended within {LongestRead.TotalSeconds:F0} s.",
                    "Check the file system that holds the folder."
                );
            }

            var read = _reading;
            _reading = null;
            Interlocked.Exchange(ref _lookedAt, Time.GetTimestamp());

            // Parsing a large bundle once a second would cost more than all decisions by it.
            var files = await read;
            if (!files.SequenceEqual(_files, SameFile.Instance))
            {
                (_files, _load) = (files, Bundle.Load(files));
            }

            return _load;
        }
        catch (DirectoryNotFoundException)
        {
            return Unreadable("The folder does not exist.", "Name the folder of the policies with --policies or DISPATCHER_POLICIES.");
        }
#pragma warning disable CA1031 // Whatever it is: else the loop would fail in every round, and log, readiness and status would tell nobody that the folder cannot be read.
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

    private async Task SettleAsync(Bundle bundle, long serial, CancellationToken cancellationToken)
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
    /// The first valid bundle of a process is only put in force when it never was. A folder that holds an earlier one is that of a server that was left behind: it
    /// must not roll back what the others have put in force since. An embedded server has no others. Under a pin no folder is behind.
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

    /// <summary>Once for each thing to complain about, not once a second.</summary>
    private void Complain(string what)
    {
        if (what != _complained)
        {
            Log.Broken(logger, options.Value.Path, what);
            metrics.Refused();
            _complained = what;
        }
    }

    private sealed class SameFile : EqualityComparer<BundleFile>
    {
        public static readonly SameFile Instance = new();

        public override bool Equals(BundleFile? x, BundleFile? y) =>
            x is not null && y is not null && x.Path == y.Path && x.Content.Span.SequenceEqual(y.Content.Span);

        public override int GetHashCode(BundleFile file) => file.Path.GetHashCode(StringComparison.Ordinal);
    }

    private static partial class Log
    {
        [LoggerMessage(EventIds.PolicyFolderBroken, LogLevel.Error, "The policy folder {Path} changes nothing: {Errors}")]
        public static partial void Broken(ILogger logger, string path, string errors);

        [LoggerMessage(EventIds.PolicyFolderValid, LogLevel.Information, "The policy folder {Path} is valid again and holds bundle {Hash}")]
        public static partial void ValidAgain(ILogger logger, string path, string hash);

        [LoggerMessage(
            EventIds.PolicyFolderOutdated,
            LogLevel.Warning,
            "The policy folder {Path} holds bundle {Hash}, which was in force before {InForce}: it is not put in force again by a start. To go back to it, change the folder while the server runs"
        )]
        public static partial void Outdated(ILogger logger, string path, string hash, string inForce);

        [LoggerMessage(
            EventIds.PolicyFolderPinned,
            LogLevel.Information,
            "The policy folder {Path} holds bundle {Hash}, but a bundle is pinned: nothing changes until \"dispatcher policy unpin\""
        )]
        public static partial void Pinned(ILogger logger, string path, string hash);
    }
}

/// <summary>What the folder held: the hash of its bundle, or what is wrong with it.</summary>
internal sealed record FolderLook(string? Hash, IReadOnlyList<BundleError> Errors);
