using Dispatcher.Hosting;
using Dispatcher.Policies;
using Dispatcher.Storing;
using Dispatcher.Topology;
using Microsoft.Extensions.Options;

namespace Dispatcher.Judging;

/// <summary>
/// The folder proposes: when it holds a valid bundle that it did not hold before, that bundle is put in force, for every process. A broken folder changes
/// nothing and is loud. The queues of its pools are there before it is in force.
/// </summary>
internal sealed partial class PolicyFolder(
    IStore store, CurrentBundle current, IPoolQueues queues, IOptions<PolicyFolderOptions> options, TimeProvider time, ILogger<PolicyFolder> logger)
    : Loop(TimeSpan.FromSeconds(1), time, logger)
{
    private string? _proposed;
    private string? _complained;

    /// <summary>What is wrong with the folder now. Empty: nothing.</summary>
    public IReadOnlyList<BundleError> Errors { get; private set; } = [];

    /// <summary>Looks at the folder once; puts what is new and valid in force.</summary>
    public override async Task OnceAsync(CancellationToken cancellationToken)
    {
        var load = Bundle.Load(BundleFolder.Read(options.Value.Path));
        Errors = load.Errors;
        if (load.Bundle is not { } bundle)
        {
            Complain(string.Join("; ", load.Errors.Select(error => $"{error.Where}: {error.Message} {error.Fix}")));
            return;
        }

        _complained = null;
        if (bundle.Hash == _proposed)
        {
            return;
        }

        await queues.DeclareAsync(bundle.Pools.Keys, cancellationToken);
        if (bundle.Hash != current.InForce.Hash)
        {
            await store.ActivateAsync(bundle.Hash, bundle.Archive, "policy-folder", cancellationToken);
            await current.OnceAsync(cancellationToken);
        }

        _proposed = bundle.Hash;
    }

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await OnceAsync(cancellationToken);
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
    }
}
