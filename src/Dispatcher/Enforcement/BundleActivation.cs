using Dispatcher.Base;
using Dispatcher.Outbox;
using Dispatcher.Policies;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Enforcement;

/// <summary>
/// Puts a bundle in force, for the policy folder or for a person: row, timeline entry and event are written in one transaction. The pin is
/// checked within that transaction, so that no folder overrides a pin. Only the store is needed, so a DENY takes effect while the
/// broker is unavailable; RabbitTopology declares the queues of new pools later.
/// </summary>
internal sealed class BundleActivation(IStore store, CurrentBundle current, JobEvents events, Relay relay, DispatcherMetrics metrics)
{
    /// <summary>The actor of an activation that comes from the policy folder.</summary>
    public const string FolderActor = "policy-folder";

    /// <summary>
    /// Puts the bundle of a folder in force. It does nothing if the bundle is in force already, if a bundle is pinned, or if another
    /// activation followed <paramref name="serial"/>.
    /// </summary>
    /// <param name="bundle">The bundle in the folder.</param>
    /// <param name="serial">The last activation that was known when the folder was read.</param>
    /// <param name="cancellationToken">Cancels the transaction.</param>
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

    /// <summary>Puts a bundle in force and pins it: no folder replaces it until the pin ends.</summary>
    public Task PinAsync(Bundle bundle, string actor, CancellationToken cancellationToken) =>
        WriteAsync(_ => Of(bundle, actor) with { Pinned = true, Reason = "pinned" }, cancellationToken);

    /// <summary>
    /// Ends the pin and puts the bundle of the folder in force. If the folder is broken (<paramref name="folder"/> is null), the present
    /// bundle stays. Returns what was written. Null: no bundle is pinned.
    /// </summary>
    public Task<Activation?> UnpinAsync(Bundle? folder, string actor, CancellationToken cancellationToken) =>
        WriteAsync(
            before =>
                before is not { Pinned: true } ? null
                : folder is null
                    ? new Activation
                    {
                        Hash = before.Hash,
                        Actor = actor,
                        Reason = "unpinned; the policy folder is broken, so the bundle stays",
                    }
                : Of(folder, actor) with { Reason = "unpinned; the policy folder holds it" },
            cancellationToken
        );

    private async Task<Activation?> WriteAsync(Func<BundleInForce?, Activation?> decide, CancellationToken cancellationToken)
    {
        var written = await store.ActivateAsync(
            before => decide(before) is { } activation ? WithEvent(activation with { Before = before?.Hash }) : null,
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

    private Activation WithEvent(Activation activation) => activation with { Outbox = events.OfActivation(activation) };

    private static Activation Of(Bundle bundle, string actor) =>
        new()
        {
            Hash = bundle.Hash,
            Archive = bundle.Archive,
            Actor = actor,
            Reason = "",
        };
}

/// <summary>The result of proposing the bundle of a folder.</summary>
internal enum Proposal
{
    /// <summary>It is in force now.</summary>
    Activated,

    /// <summary>It was in force already.</summary>
    InForce,

    /// <summary>A bundle is pinned and stays in force.</summary>
    Pinned,

    /// <summary>Another bundle was activated since the folder was read, perhaps from a later state of that folder: read it again.</summary>
    Overtaken,
}
