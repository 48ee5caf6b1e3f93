using Dispatcher.Hosting;
using Dispatcher.Policies;
using Dispatcher.Storing;
using Dispatcher.Topology;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Dispatcher.Judging;

/// <summary>
/// The folder proposes: when it holds a valid bundle that it did not hold before, that bundle is put in force, for every process. A broken folder changes
/// nothing and is loud. The queues of its pools are there before it is in force.
/// </summary>
internal sealed partial class PolicyFolder(
    IStore store, IDbContextFactory<DispatcherDb> database, ServerSettings settings, CurrentBundle current, IPoolQueues queues, IOptions<PolicyFolderOptions> options, TimeProvider time, ILogger<PolicyFolder> logger)
    : Loop(TimeSpan.FromSeconds(1), time, logger)
{
    private string? _seen;
    private string? _proposed;
    private string? _complained;

    /// <summary>What is wrong with the folder now. Empty: nothing.</summary>
    public IReadOnlyList<BundleError> Errors { get; private set; } = [];

    /// <summary>
    /// Looks at the folder; puts in force what is new and valid and was the same at the look before: a folder that is just being copied may be valid for a moment
    /// and lack a rule.
    /// </summary>
    public override async Task OnceAsync(CancellationToken cancellationToken)
    {
        var bundle = Look();
        var steady = bundle?.Hash == _seen;
        _seen = bundle?.Hash;
        if (bundle is not null && steady && bundle.Hash != _proposed)
        {
            await ActivateAsync(bundle, cancellationToken);
        }
    }

    private Bundle? Look()
    {
        var load = Bundle.Load(BundleFolder.Read(options.Value.Path));
        Errors = load.Errors;
        if (load.Bundle is null)
        {
            Complain(string.Join("; ", load.Errors.Select(error => $"{error.Where}: {error.Message} {error.Fix}")));
            return null;
        }

        _complained = null;
        return load.Bundle;
    }

    private async Task ActivateAsync(Bundle bundle, CancellationToken cancellationToken)
    {
        await queues.DeclareAsync(bundle.Pools.Keys, cancellationToken);
        if (bundle.Hash != current.InForce.Hash)
        {
            await store.ActivateAsync(bundle.Hash, bundle.Archive, "policy-folder", cancellationToken);
            await current.OnceAsync(cancellationToken);
        }

        _proposed = bundle.Hash;
    }

    /// <summary>
    /// At start the folder proposes what was never in force. One that holds an earlier bundle is a server that was left behind: it must not roll back what the
    /// others have put in force since. An embedded server has no others.
    /// </summary>
    private async Task<bool> IsOutdatedAsync(Bundle bundle, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        return !settings.IsEmbedded && current.InForce.Hash is not "" && bundle.Hash != current.InForce.Hash
            && await db.Bundles.AnyAsync(stored => stored.Hash == bundle.Hash, cancellationToken);
    }

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        if (Look() is { } bundle)
        {
            _seen = bundle.Hash;
            if (await IsOutdatedAsync(bundle, cancellationToken))
            {
                _proposed = bundle.Hash;
                Log.Outdated(logger, options.Value.Path, bundle.Hash, current.InForce.Hash);
            }
            else
            {
                await ActivateAsync(bundle, cancellationToken);
            }
        }

        await base.StartAsync(cancellationToken);
    }

    /// <summary>Once for each thing to complain about, not once a second.</summary>
    private void Complain(string what)
    {
        if (what != _complained)
        {
            Log.Broken(logger, options.Value.Path, what);
            _complained = what;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventIds.PolicyFolderBroken, LogLevel.Error, "The policy folder {Path} changes nothing: {Errors}")]
        public static partial void Broken(ILogger logger, string path, string errors);

        [LoggerMessage(EventIds.PolicyFolderOutdated, LogLevel.Warning, "The policy folder {Path} holds bundle {Hash}, which was in force before {InForce}: it is not put in force again by a start. To go back to it, change the folder while the server runs")]
        public static partial void Outdated(ILogger logger, string path, string hash, string inForce);
    }
}
