using System.Security.Cryptography;
using Dispatcher.Audit.Sealing;

namespace Dispatcher.Audit.Verification;

/// <summary>
/// Checks that entries are missing at the start of the history only because a signed retention dropped them, and that the entries that it
/// kept are unchanged.
/// </summary>
internal sealed class RetentionCheck(IReadOnlyDictionary<string, ECDsa> keys)
{
    private readonly KeptHash _hash = new();
    private HashSet<long> _kept = [];
    private byte[]? _detail;
    private bool _hasEntry;
    private Finding? _bad;
    private Finding? _unknown;

    /// <summary>The retention with the largest size that its key signed. Null: no entries were dropped.</summary>
    public Retention? Last { get; private set; }

    /// <summary>The first fault, else the first retention with an unknown key. Null: none.</summary>
    public Finding? First => _bad ?? _unknown;

    /// <summary>Number of entries that a retention dropped and that are still stored, because it did not end.</summary>
    public long NotYetDropped { get; private set; }

    /// <summary>Number of kept entries.</summary>
    public int Kept => _kept.Count;

    /// <summary>Adds a retention. All are added before the first entry.</summary>
    public void Add(byte[] detail)
    {
        if (Retention.Read(detail) is not { } retention)
        {
            _bad ??= Of(Tampering.Forged, null, "an entry of kind \"retained\" cannot be read, or its subtrees do not have its root");
            return;
        }

        if (!IsSigned(retention) || retention.Size <= (Last?.Size ?? 0))
        {
            return;
        }

        (Last, _detail, _kept) = (retention, detail, [.. KeptNumbers.Read(retention.Kept)]);
    }

    /// <summary>Checks that the checkpoints contain the closing one. Called after every checkpoint was added.</summary>
    public void Close(CheckpointCheck checkpoints)
    {
        if (Last is { } last && !checkpoints.HasClosing(last))
        {
            _bad ??= Of(
                Tampering.Missing,
                last.Size,
                $"entries up to number {last.Size} were dropped, but no checkpoint of this size, root and head closes them"
            );
        }
    }

    /// <summary>Adds the next entry, and returns whether it is one of the dropped days.</summary>
    public bool Add(HistoryEntry step)
    {
        if (step.Seal is not { } seal || Last is not { } last || seal.Seq > last.Size)
        {
            _hasEntry |= _detail is { } detail && step.Entry is { } entry && entry.Detail.AsSpan().SequenceEqual(detail);
            return false;
        }

        if (!_kept.Contains(seal.Seq))
        {
            NotYetDropped++;
        }
        else if (step.Entry is { } kept && kept.JobId == seal.JobId)
        {
            _hash.Add(seal, kept);
        }

        return true;
    }

    /// <summary>Compares the kept entries. Called after the last entry.</summary>
    public void Finish()
    {
        if (Last is not { } last)
        {
            return;
        }

        if (_hash.Text() != last.KeptSha256)
        {
            _bad ??= Of(
                Tampering.Altered,
                last.Size,
                $"the {_kept.Count} entries up to number {last.Size} that were kept do not match their signed hash: "
                    + "one of them was changed, removed or inserted"
            );
        }

        if (!_hasEntry)
        {
            _bad ??= Of(Tampering.Missing, last.Size, $"the entry that states the drop of entries up to number {last.Size} is missing");
        }
    }

    private bool IsSigned(Retention retention)
    {
        if (keys.Count == 0)
        {
            return true;
        }

        if (!keys.TryGetValue(retention.KeyId, out var key))
        {
            _unknown ??= Of(
                Tampering.UnknownKey,
                retention.Size,
                $"the retention up to number {retention.Size} is signed with key {retention.KeyId}, whose public key was not given. "
                    + "Give sealing.pub of the audit folder that it used with --key, too"
            );
            return true;
        }

        if (CheckpointKey.IsSigned(retention, key))
        {
            return true;
        }

        _bad ??= Of(
            Tampering.Forged,
            retention.Size,
            $"the signature of the retention up to number {retention.Size} was not made with key {retention.KeyId}, or it was changed"
        );
        return false;
    }

    private static Finding Of(Tampering kind, long? size, string message) =>
        new()
        {
            Kind = kind,
            Seq = size,
            Message = message,
        };
}
