namespace Dispatcher.Audit.Verification;

/// <summary>The approvals of one job, line by line: which were given, and which a dispatch has used. One approval is good for one dispatch, unless that one is taken back, or its rule covers retries.</summary>
internal sealed class ApprovalTrail
{
    private readonly Dictionary<string, EntryDetail> _given = new(StringComparer.Ordinal);
    private readonly HashSet<string> _used = new(StringComparer.Ordinal);
    private string? _submitted;

    /// <summary>The first line of the job that names its hash.</summary>
    public void Submitted(EntryDetail line) => _submitted ??= line.JobHash;

    public void Approved(EntryDetail line)
    {
        if (line.ApprovalId is { } approvalId)
        {
            _given[approvalId] = line;
        }
    }

    /// <summary>An attempt that nobody claimed gives its approval back.</summary>
    public void Unclaimed(string? approvalId)
    {
        if (approvalId is not null)
        {
            _used.Remove(approvalId);
        }
    }

    /// <summary>
    /// A high-risk dispatch. Null: it had an approval of exactly this job under exactly these rules; else why it had none. A hash that
    /// intake or the approval does not name is not compared.
    /// </summary>
    public string? Dispatched(EntryDetail line) =>
        line.ApprovalId is not { } approvalId ? "it names no approval"
        : !_given.TryGetValue(approvalId, out var given) ? $"approval {approvalId} was not given before"
        : Differs(given.JobHash, line.JobHash) ? $"approval {approvalId} is of job hash {given.JobHash}, and {line.JobHash} was dispatched"
        : Differs(_submitted, line.JobHash) ? $"job hash {_submitted} was submitted, and {line.JobHash} was dispatched"
        : Differs(given.BasisHash, line.BasisHash)
            ? $"approval {approvalId} rests on basis {given.BasisHash}, and the dispatch on {line.BasisHash}"
        : !_used.Add(approvalId) && !given.CoversRetries ? $"approval {approvalId} was used before"
        : null;

    private static bool Differs(string? expected, string? seen) => expected is not null && seen != expected;
}
