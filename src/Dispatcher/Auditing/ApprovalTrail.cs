namespace Dispatcher.Auditing;

/// <summary>The approvals of one job, line by line: which were given, and which a dispatch has used. One approval is good for one dispatch, unless that one is taken back, or its rule covers retries.</summary>
internal sealed class ApprovalTrail
{
    private readonly HashSet<string> _given = new(StringComparer.Ordinal);
    private readonly HashSet<string> _used = new(StringComparer.Ordinal);
    private readonly HashSet<string> _forRetries = new(StringComparer.Ordinal);

    public void Approved(LineDetail line)
    {
        if (line.ApprovalId is { } approvalId)
        {
            _given.Add(approvalId);
            _ = line.CoversRetries && _forRetries.Add(approvalId);
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

    /// <summary>A high-risk dispatch. Null: it had an approval; else why it had none.</summary>
    public string? Dispatched(string? approvalId) =>
        approvalId is null ? "it names no approval"
        : !_given.Contains(approvalId) ? $"approval {approvalId} was not given before"
        : !_used.Add(approvalId) && !_forRetries.Contains(approvalId) ? $"approval {approvalId} was used before"
        : null;
}
