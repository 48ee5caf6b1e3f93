using Dispatcher.Base;
using Dispatcher.Outbox;
using Dispatcher.Policies;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Enforcement;

/// <summary>
/// Puts bundles in force, for the folder and for people: row, timeline and event in one transaction. Whether a bundle is pinned is looked at
/// within that transaction, so that no folder gets past a pin. It needs the store only: a DENY must be in force while the broker is away.
/// RabbitTopology declares the queues of new pools.
/// </summary>
internal sealed class BundleActivation(IStore store, CurrentBundle current, JobEvents events, Relay relay, DispatcherMetrics metrics)
{
    /// <summary>Who acts when no person does.</summary>
    public const string FolderActor = "policy-folder";

    /// <summary>Puts a folder's bundle in force, unless it is already, one is pinned, or another activation came since <paramref name="serial"/>, which was known when the folder was looked at.</summary>
    public async Task<Proposal> ProposeAsync(Bundle bundle, long serial, CancellationToken cancellationToken)
    {
        var proposal = Proposal.InForce;
        await WriteAsync(
            before =>
            {
                proposal =
                    before is { Pinned: true } ? Proposal.Pinned
                    : before?.Hash == bundle.Hash ? Proposal.InForce
                    : (before?.Serial ?? 0) != serial ? Proposal.Overtaken
                    : Proposal.Activated;
                return proposal == Proposal.Activated ? Of(bundle, FolderActor) with { Reason = "the policy folder holds it" } : null;
            },
            cancellationToken
        );
        return proposal;
    }

    /// <summary>Puts a bundle in force and keeps it there, whatever the folders hold.</summary>
    public Task PinAsync(Bundle bundle, string actor, CancellationToken cancellationToken) =>
        WriteAsync(_ => Of(bundle, actor) with { Pinned = true, Reason = "pinned" }, cancellationToken);

    /// <summary>Ends a pin and puts the folder's bundle in force; when the folder is broken (null), the bundle in force stays. Answers what was written; null: nothing is pinned.</summary>
    public Task<Activation?> UnpinAsync(Bundle? folder, string actor, CancellationToken cancellationToken) =>
        WriteAsync(
            before =>
                before is not { Pinned: true } ? null
                : folder is null
                    ? new Activation
                    {
                        Hash = before.Hash,
                        Actor = actor,
                        Reason = "unpinned; the policy folder is broken, so that the bundle stays",
                    }
                : Of(folder, actor) with { Reason = "unpinned; the policy folder holds it" },
            cancellationToken
        );

    private async Task<Activation?> WriteAsync(Func<BundleInForce?, Activation?> decide, CancellationToken cancellationToken)
    {
        var written = await store.ActivateAsync(
            before => decide(before) is { } activation ? Told(activation with { Before = before?.Hash }) : null,
            cancellationToken
        );
        if (written is not null)
        {
            relay.Offer(written.Outbox);
            metrics.Activated();
            await current.OnceAsync(cancellationToken);
        }

        return written;
    }

    private Activation Told(Activation activation) => activation with { Outbox = events.OfActivation(activation) };

    private static Activation Of(Bundle bundle, string actor) =>
        new()
        {
            Hash = bundle.Hash,
            Archive = bundle.Archive,
            Actor = actor,
            Reason = "",
        };
}

/// <summary>What became of a folder's bundle.</summary>
internal enum Proposal
{
    /// <summary>It is in force now.</summary>
    Activated,

    /// <summary>It was in force already.</summary>
    InForce,

    /// <summary>A bundle is pinned, and stays.</summary>
    Pinned,

    /// <summary>Another bundle came into force meanwhile, perhaps from a later state of the same folder: look again.</summary>
    Overtaken,
}
