namespace Dispatcher.Audit.Verification;

/// <summary>Jobs that are at or after dispatch without a line of the dispatch of their attempt: something started them around the policy.</summary>
internal static class UndispatchedJobs
{
    /// <summary>SQL over <c>jobs j</c>, for both databases.</summary>
    public const string Condition = """
        (j.attempt > 0 or j.state in ('dispatched', 'running', 'succeeded', 'quarantined', 'retrying', 'dead_lettered'))
        and not exists (select 1 from timeline d where d.job_id = j.job_id and d.kind = 'dispatched' and d.attempt = j.attempt)
        """;
}
