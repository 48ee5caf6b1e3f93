namespace Dispatcher.Audit.Verification;

/// <summary>
/// Selects jobs that are at or after dispatch without an entry of the dispatch of their attempt: they were started without an evaluation.
/// </summary>
internal static class UndispatchedJobs
{
    /// <summary>SQL condition over <c>jobs j</c>, the same for both databases.</summary>
    public const string Condition = """
        (j.attempt > 0 or j.state in ('dispatched', 'running', 'succeeded', 'quarantined', 'retrying', 'dead_lettered'))
        and not exists (select 1 from timeline d where d.job_id = j.job_id and d.kind = 'dispatched' and d.attempt = j.attempt)
        """;
}
