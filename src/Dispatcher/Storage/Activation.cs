using Dispatcher.Jobs;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Storage;

/// <summary>A change of the row that says which bundle is in force, and what must be written with it.</summary>
internal sealed record Activation
{
    public required string Hash { get; init; }

    /// <summary>Given by the store: one more than that of the activation before, from 1. Row and timeline name the same.</summary>
    public long Serial { get; init; }

    /// <summary>Kept by its hash, so that every process can load it. Null: it is kept already.</summary>
    public ReadOnlyMemory<byte>? Archive { get; init; }

    /// <summary>Who: <c>BundleActivation.FolderActor</c>, or the subject of an API key.</summary>
    public required string Actor { get; init; }

    /// <summary>Whether folders may not change it from now on.</summary>
    public bool Pinned { get; init; }

    /// <summary>The bundle that was in force until now. Null: none.</summary>
    public string? Before { get; init; }

    /// <summary>Why, in words, for the timeline and the event.</summary>
    public required string Reason { get; init; }

    public IReadOnlyList<OutboxMessage> Outbox { get; init; } = [];

    /// <summary>The timeline entry. It belongs to no job, so its job id is all zero.</summary>
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

    /// <summary>The activation as it follows this one. Null: the first.</summary>
    public Activation After(BundleInForce? before) => this with { Serial = (before?.Serial ?? 0) + 1 };
}
