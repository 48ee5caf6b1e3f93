namespace Dispatcher.Audit.Verification;

/// <summary>
/// Follows the approvals of one job along its timeline: which were given, and which a dispatch used. One approval is valid for one
/// dispatch, unless no worker claimed that dispatch or the rule covers retries.
/// </summary>
internal sealed class ApprovalTrail
{
    private readonly Dictionary<string, EntryDetail> _given = new(StringComparer.Ordinal);
    private readonly HashSet<string> _used = new(StringComparer.Ordinal);
    private string? _submitted;

    /// <summary>Keeps the job hash of the first entry that names one.</summary>
    public void Submitted(EntryDetail entry) => _submitted ??= entry.JobHash;

    public void Approved(EntryDetail entry)
    {
        if (entry.ApprovalId is { } approvalId)
        {
            _given[approvalId] = entry;
        }
    }

    /// <summary>An attempt that no worker claimed releases its approval.</summary>
    public void Unclaimed(string? approvalId)
    {
        if (approvalId is not null)
        {
            _used.Remove(approvalId);
        }
    }

    /// <summary>
    /// Checks a high-risk dispatch. Null: it had an approval of exactly this job under exactly these rules. Otherwise the reason why it had
    /// none. A hash that intake or the approval does not name is not compared.
    /// </summary>
    public string? Dispatched(EntryDetail entry) =>
        entry.ApprovalId is not { } approvalId ? "its entry names no approval"
        : !_given.TryGetValue(approvalId, out var given) ? $"approval {approvalId} was not given before"
        : Differs(given.JobHash, entry.JobHash)
            ? $"approval {approvalId} is for job hash {given.JobHash}, but {entry.JobHash} was dispatched"
        : Differs(_submitted, entry.JobHash) ? $"job hash {_submitted} was submitted, but {entry.JobHash} was dispatched"
        : Differs(given.BasisHash, entry.BasisHash)
            ? $"approval {approvalId} is based on {given.BasisHash}, but the dispatch on {entry.BasisHash}"
        : !_used.Add(approvalId) && !given.CoversRetries ? $"approval {approvalId} was used before"
        : null;

    private static bool Differs(string? expected, string? seen) => expected is not null && seen != expected;
}
