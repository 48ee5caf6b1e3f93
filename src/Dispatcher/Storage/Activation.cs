using Dispatcher.Jobs;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Storage;

/// <summary>A change of the bundle in force, with everything that the same transaction writes.</summary>
internal sealed record Activation
{
    public required string Hash { get; init; }

    /// <summary>Set by the store: the serial of the previous activation plus one, from 1. Row and timeline entry both name it.</summary>
    public long Serial { get; init; }

    /// <summary>The bundle, stored by its hash so that every process can load it. Null: it is stored already.</summary>
    public ReadOnlyMemory<byte>? Archive { get; init; }

    /// <summary><c>BundleActivation.FolderActor</c>, or the subject of an API key.</summary>
    public required string Actor { get; init; }

    /// <summary>Whether the bundle is pinned: a policy folder cannot replace it.</summary>
    public bool Pinned { get; init; }

    /// <summary>Hash of the bundle that was in force before. Null: none.</summary>
    public string? Before { get; init; }

    /// <summary>The reason in words, for the timeline and the event.</summary>
    public required string Reason { get; init; }

    public IReadOnlyList<OutboxMessage> Outbox { get; init; } = [];

    /// <summary>The timeline entry. It belongs to no job, so its job id is all zeros.</summary>
    public TimelineEntry Entry =>
        new()
        {
            JobId = Guid.Empty,
            Kind = TimelineKinds.BundleActivated,
            Actor = Actor,
            Detail = TimelineEntry.Json(
                new
                {
                    PolicyHash = Hash,
                    Serial,
                    Before,
                    Pinned,
                    Reason,
                }
            ),
        };

    /// <summary>This activation with the next serial after <paramref name="before"/>. Null: it is the first.</summary>
    public Activation After(BundleInForce? before) => this with { Serial = (before?.Serial ?? 0) + 1 };
}
