using System.Security.Cryptography;
using Dispatcher.Audit.Sealing;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Audit.Verification;

/// <summary>
/// Compares the history with every signed checkpoint, from the store and from files. It keeps about 200 bytes for each checkpoint.
/// </summary>
internal sealed class CheckpointCheck
{
    private readonly IReadOnlyDictionary<string, ECDsa> _keys;
    private readonly List<TimelineCheckpoint> _checkpoints = [];
    private MerkleFrontier _tree = new();
    private int _next;
    private long _confirmed;
    private bool _sorted;
    private Finding? _bad;
    private Finding? _unknown;

    /// <param name="keys">Public keys by id. If empty, signatures are not checked.</param>
    public CheckpointCheck(IReadOnlyDictionary<string, ECDsa> keys) => _keys = keys;

    /// <summary>The first checkpoint that does not match, else the first one with an unknown key. Null: all match.</summary>
    public Finding? First => _bad ?? _unknown;

    /// <summary>Number of checkpoints.</summary>
    public int Compared => _checkpoints.Count;

    /// <summary>The largest checkpoint. Null: there is none.</summary>
    public TimelineCheckpoint? Last => _checkpoints.Count == 0 ? null : _checkpoints.MaxBy(checkpoint => checkpoint.Size);

    /// <summary>Adds a checkpoint. All are added before the first seal. <paramref name="source"/> names its origin in words.</summary>
    public void Add(TimelineCheckpoint checkpoint, string source)
    {
        _checkpoints.Add(checkpoint with { Frontier = [] });
        if (_keys.Count == 0)
        {
            return;
        }

        if (!_keys.TryGetValue(checkpoint.KeyId, out var key))
        {
            _unknown ??= Of(
                checkpoint,
                Tampering.UnknownKey,
                $"the checkpoint of size {checkpoint.Size} in {source} is signed with key {checkpoint.KeyId}, "
                    + "whose public key was not given, so its signature is not checked; "
                    + $"given: {string.Join(", ", _keys.Keys.Order(StringComparer.Ordinal))}. "
                    + "Give sealing.pub of the server that signed it with --key, too"
            );
        }
        else if (!CheckpointKey.IsSigned(checkpoint, key))
        {
            _bad ??= Of(
                checkpoint,
                Tampering.Forged,
                $"the signature of the checkpoint of size {checkpoint.Size} in {source} was not made with key {checkpoint.KeyId}, "
                    + "or the checkpoint was changed"
            );
        }
    }

    /// <summary>Whether one of the checkpoints closes the dropped days.</summary>
    public bool HasClosing(Retention retention) => _checkpoints.Exists(retention.IsClosedBy);

    /// <summary>
    /// Starts after dropped seals. Called after every checkpoint was added, before the first seal. Smaller checkpoints have no seals left.
    /// </summary>
    public void StartAfter(Retention retention, MerkleFrontier tree)
    {
        Sort();
        (_tree, _confirmed) = (tree, retention.Size);
        for (; _next < _checkpoints.Count && _checkpoints[_next].Size <= retention.Size; _next++)
        {
            if (_checkpoints[_next].Size == retention.Size)
            {
                Compare(_checkpoints[_next], retention.HeadHash());
            }
        }
    }

    /// <summary>Adds the hash of the next seal.</summary>
    public void Add(byte[] sealHash)
    {
        Sort();
        _tree.Add(sealHash);
        for (; _next < _checkpoints.Count && _checkpoints[_next].Size <= _tree.Size; _next++)
        {
            Compare(_checkpoints[_next], sealHash);
        }
    }

    /// <summary>Checks that the history reaches the largest checkpoint. Called after the last seal.</summary>
    public void Finish()
    {
        if (Last is { } last && last.Size > _tree.Size)
        {
            _bad ??= Of(
                last,
                Tampering.Truncated,
                $"the history ends with number {_tree.Size}, but a checkpoint was signed at number {last.Size}: the history was cut, "
                    + "or entries were removed and the rest renumbered. Check an export with checkpoints that are not newer than the export"
            ) with
            {
                Seq = _tree.Size + 1,
            };
        }
    }

    private void Sort()
    {
        if (!_sorted)
        {
            _checkpoints.Sort((left, right) => left.Size.CompareTo(right.Size));
            _sorted = true;
        }
    }

    private void Compare(TimelineCheckpoint checkpoint, byte[] head)
    {
        if (
            checkpoint.Size == _tree.Size
            && checkpoint.Root.AsSpan().SequenceEqual(_tree.Root())
            && checkpoint.Head.AsSpan().SequenceEqual(head)
        )
        {
            _confirmed = checkpoint.Size;
            return;
        }

        _bad ??= Of(
            checkpoint,
            Tampering.Rewritten,
            $"numbers {_confirmed + 1} to {checkpoint.Size} do not match a signed checkpoint: "
                + "entries among them were changed, removed or inserted, and sealed again"
        ) with
        {
            Seq = _confirmed + 1,
        };
    }

    private static Finding Of(TimelineCheckpoint checkpoint, Tampering kind, string message) =>
        new()
        {
            Kind = kind,
            Seq = checkpoint.Size,
            Message = message,
        };
}
