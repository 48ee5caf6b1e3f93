namespace Dispatcher.Auditing;

/// <summary>The approvals of one job, line by line: which were given, and which a dispatch has used. One approval is good for one dispatch, unless that one is taken back.</summary>
internal sealed class ApprovalUse
{
    private readonly HashSet<string> _given = new(StringComparer.Ordinal);
    private readonly HashSet<string> _used = new(StringComparer.Ordinal);

    public void Approved(string? approvalId)
    {
        if (approvalId is not null)
        {
            _given.Add(approvalId);
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
        : !_used.Add(approvalId) ? $"approval {approvalId} was used before"
        : null;
}
