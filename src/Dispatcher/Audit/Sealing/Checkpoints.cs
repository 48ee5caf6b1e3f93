using Dispatcher.Base;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Audit.Sealing;

/// <summary>
/// Signs the head of the history every minute in which an entry was sealed, and after every 100,000 seals. A checkpoint is written to the
/// file first, then to the store. If the history no longer contains the last signed seal, signing stops and an error is logged, unless a
/// signed retention dropped that seal: then the tree continues from the closing checkpoint of the retention.
/// </summary>
internal sealed partial class Checkpoints(SealTable table, AuditFolder folder, StoreClock clock, ILogger<Checkpoints> logger)
{
    private const int Page = 10_000;
    private const long Entries = 100_000;

    private static readonly long Period = Timestamps.Micros(TimeSpan.FromMinutes(1));

    private MerkleFrontier? _tree;
    private byte[] _head = [];
    private string _origin = "";

    /// <summary>The last checkpoint of this key, signed by this process or an earlier one. Null: none.</summary>
    public TimelineCheckpoint? Last { get; private set; }

    /// <summary>Why signing has stopped. Null: it works.</summary>
    public string? Trouble { get; private set; }

    /// <summary>Signs a checkpoint if one is due. If <paramref name="now"/> is true, every new seal makes one due.</summary>
    public async Task OnceAsync(bool now, CancellationToken cancellationToken)
    {
        if (Trouble is not null)
        {
            return;
        }

        _tree ??= await RestoreAsync(cancellationToken);
        var head = await table.HeadAsync(cancellationToken);
        if (Trouble is null && (head.Seq < _tree.Size || (_tree.Size > 0 && !await HasAsync(_tree.Size, _head, cancellationToken))))
        {
            StopSigning(_tree.Size);
        }

        var signed = Last?.Size ?? 0;
        if (Trouble is null && head.Seq > signed && (now || Last is null || head.Seq - signed >= Entries || clock.Now - Last.At >= Period))
        {
            _tree = await GrowAsync(_tree, head.Seq, cancellationToken);
            await SignAsync(_tree, cancellationToken);
        }
    }

    /// <summary>The tree as of the last checkpoint in the store, or an empty one.</summary>
    private async Task<MerkleFrontier> RestoreAsync(CancellationToken cancellationToken)
    {
        if (folder.Last() is { } written && !await HasAsync(written.Size, written.Head, cancellationToken))
        {
            StopSigning(written.Size);
        }

        // The owner of the store could have changed the subtrees, so they must result in the signed root.
        var stored = await table.LastCheckpointAsync(folder.Key.Id, cancellationToken);
        var tree = stored is not null && folder.Key.HasSigned(stored) ? MerkleFrontier.Restore(stored.Size, stored.Frontier) : null;
        if (tree is null || !IsSame(tree.Root(), stored!.Root))
        {
            return new MerkleFrontier();
        }

        (Last, _head, _origin) = (stored, stored.Head, stored.Origin);
        return tree;
    }

    private async Task<MerkleFrontier> GrowAsync(MerkleFrontier tree, long size, CancellationToken cancellationToken)
    {
        while (tree.Size < size && Trouble is null)
        {
            foreach (var seal in await table.AfterAsync(tree.Size, (int)Math.Min(Page, size - tree.Size), cancellationToken))
            {
                if (seal.Seq != tree.Size + 1)
                {
                    if (await DroppedAsync(tree.Size + 1, cancellationToken) is { } retention)
                    {
                        tree = Continue(retention);
                    }
                    else
                    {
                        StopSigning(tree.Size + 1);
                    }

                    // The next page begins after the dropped seals.
                    break;
                }

                tree.Add(seal.Hash);
                _head = seal.Hash;
                _origin = seal.Seq == 1 ? TimelineCheckpoint.OriginOf(seal.Hash) : _origin;
            }
        }

        return tree;
    }

    /// <summary>Whether the store has this seal, or a retention dropped it.</summary>
    private async Task<bool> HasAsync(long seq, byte[] hash, CancellationToken cancellationToken) =>
        await table.HashAsync(seq, cancellationToken) is { } stored
            ? IsSame(stored, hash)
            : await DroppedAsync(seq, cancellationToken) is not null;

    /// <summary>
    /// The retention that dropped this seal. Null: there is none that counts. A key without a checkpoint of its own trusts what the store
    /// has, as it does for seals. Any other key trusts its own signature only.
    /// </summary>
    private async Task<Retention?> DroppedAsync(long seq, CancellationToken cancellationToken)
    {
        var retentions = await table.RetentionsAsync(cancellationToken);
        var isNew = folder.Last() is null && await table.LastCheckpointAsync(folder.Key.Id, cancellationToken) is null;
        return retentions.Find(retention => retention.Size >= seq && (isNew || folder.Key.HasSigned(retention)));
    }

    private MerkleFrontier Continue(Retention retention)
    {
        (_head, _origin) = (retention.HeadHash(), retention.Origin);
        return retention.Tree()!;
    }

    /// <summary>Writes the file first: a checkpoint that is only in the store does not protect against the owner of the store.</summary>
    private async Task SignAsync(MerkleFrontier tree, CancellationToken cancellationToken)
    {
        if (Trouble is not null)
        {
            return;
        }

        var checkpoint = folder.Key.Sign(
            new TimelineCheckpoint
            {
                Size = tree.Size,
                KeyId = folder.Key.Id,
                Origin = _origin,
                Root = tree.Root(),
                Head = _head,
                At = clock.Now,
                Frontier = tree.ToBytes(),
            }
        );
        folder.Append(checkpoint);
        await table.AddAsync(checkpoint, cancellationToken);
        Last = checkpoint;
    }

    private void StopSigning(long seq)
    {
        Trouble = $"seal {seq} is missing or differs from the signed one: the history in the database was cut or changed";
        Log.Doubted(logger, seq, folder.Checkpoints);
    }

    private static bool IsSame(byte[]? left, byte[] right) => left is not null && left.AsSpan().SequenceEqual(right);

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.HistoryDoubted,
            LogLevel.Error,
            "Seal {Seq} is missing or differs from the signed one: the history in the database was cut or changed. "
                + "No further checkpoint is signed; run \"dispatcher audit verify\". "
                + "After a restored backup, move {File} to a safe place, so that a new file begins"
        )]
        public static partial void Doubted(ILogger logger, long seq, string file);
    }
}
