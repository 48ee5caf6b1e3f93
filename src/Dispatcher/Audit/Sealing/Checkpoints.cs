using Dispatcher.Base;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Audit.Sealing;

/// <summary>
/// Signs what the history is: every minute in which something was sealed, or after 100,000 seals. First into the file, then into the store. What it signs continues
/// what it signed before: a history that is shorter or another one than the file says is signed no more, and told.
/// </summary>
internal sealed partial class Checkpoints(SealTable table, AuditFolder folder, StoreClock clock, ILogger<Checkpoints> logger)
{
    private const int Page = 10_000;
    private const long Entries = 100_000;

    private static readonly long Period = Timestamps.Micros(TimeSpan.FromMinutes(1));

    private MerkleFrontier? _tree;
    private byte[] _head = [];
    private string _origin = "";

    /// <summary>The last one signed here, by this process or before it. Null: none.</summary>
    public TimelineCheckpoint? Last { get; private set; }

    /// <summary>Why nothing is signed any more. Null: all is well.</summary>
    public string? Distrust { get; private set; }

    /// <summary>Signs, if it is time; with <paramref name="now"/> if there is anything new.</summary>
    public async Task OnceAsync(bool now, CancellationToken cancellationToken)
    {
        if (Distrust is not null)
        {
            return;
        }

        _tree ??= await RestoreAsync(cancellationToken);
        var head = await table.HeadAsync(cancellationToken);
        if (
            Distrust is null
            && (head.Seq < _tree.Size || (_tree.Size > 0 && !IsSame(await table.HashAsync(_tree.Size, cancellationToken), _head)))
        )
        {
            Doubt(_tree.Size);
        }

        var signed = Last?.Size ?? 0;
        if (Distrust is null && head.Seq > signed && (now || Last is null || head.Seq - signed >= Entries || clock.Now - Last.At >= Period))
        {
            await GrowAsync(_tree, head.Seq, cancellationToken);
            await SignAsync(_tree, cancellationToken);
        }
    }

    /// <summary>The tree as of the last checkpoint in the store, or an empty one.</summary>
    private async Task<MerkleFrontier> RestoreAsync(CancellationToken cancellationToken)
    {
        if (folder.Last() is { } written && !IsSame(await table.HashAsync(written.Size, cancellationToken), written.Head))
        {
            Doubt(written.Size);
        }

        // The store's owner could have changed the subtrees: they must lead to the root that was signed.
        var stored = await table.LastCheckpointAsync(folder.Key.Id, cancellationToken);
        var tree = stored is not null && folder.Key.HasSigned(stored) ? MerkleFrontier.Restore(stored.Size, stored.Frontier) : null;
        if (tree is null || !IsSame(tree.Root(), stored!.Root))
        {
            return new MerkleFrontier();
        }

        (Last, _head, _origin) = (stored, stored.Head, stored.Origin);
        return tree;
    }

    private async Task GrowAsync(MerkleFrontier tree, long size, CancellationToken cancellationToken)
    {
        while (tree.Size < size && Distrust is null)
        {
            foreach (var seal in await table.AfterAsync(tree.Size, (int)Math.Min(Page, size - tree.Size), cancellationToken))
            {
                if (seal.Seq != tree.Size + 1)
                {
                    Doubt(tree.Size + 1);
                    return;
                }

                tree.Add(seal.Hash);
                _head = seal.Hash;
                _origin = seal.Seq == 1 ? TimelineCheckpoint.OriginOf(seal.Hash) : _origin;
            }
        }
    }

    /// <summary>First the file: a checkpoint that is only in the store protects from nobody who owns it.</summary>
    private async Task SignAsync(MerkleFrontier tree, CancellationToken cancellationToken)
    {
        if (Distrust is not null)
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

    private void Doubt(long seq)
    {
        Distrust = $"seal {seq} is not there or is not the one that was signed: the history in the database was cut or changed";
        Log.Doubted(logger, seq, folder.Checkpoints);
    }

    private static bool IsSame(byte[]? left, byte[] right) => left is not null && left.AsSpan().SequenceEqual(right);

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.HistoryDoubted,
            LogLevel.Error,
            "Seal {Seq} is not there or is not the one that was signed: the history in the database was cut or changed. No checkpoint is signed any more; see \"dispatcher audit verify\". After a restored backup, keep {File} and begin a new one"
        )]
        public static partial void Doubted(ILogger logger, long seq, string file);
    }
}
