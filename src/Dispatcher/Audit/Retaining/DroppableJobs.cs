using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Storage;

namespace Dispatcher.Audit.Retaining;

/// <summary>SQL conditions of PostgreSQL that select the jobs to drop.</summary>
internal static class DroppableJobs
{
    /// <summary>The states in which a job has ended, as a list of SQL.</summary>
    private static readonly string Ended =
        $"('{string.Join("', '", Enum.GetValues<JobState>().Where(state => state.IsFinal()).Select(WireNames.Of))}')";

    /// <summary>Condition over <c>jobs j</c>: the job has not ended.</summary>
    public static string Open { get; } = $"j.state not in {Ended}";

    /// <summary>
    /// Condition for a job id: every entry of the job has a seal up to <c>@size</c>, and its row, if it has one, has ended. The entries of
    /// no job are never dropped: they confirm the bundles in force and state earlier drops.
    /// </summary>
    public static string Condition(string jobId) =>
        $"""
            {jobId} <> '{Guid.Empty}'
            and not exists (select 1 from timeline_seals later where later.job_id = {jobId} and later.seq > @size)
            and not exists (select 1 from timeline t where t.job_id = {jobId} and {TimelineRows.Unsealed})
            and not exists (select 1 from jobs j where j.job_id = {jobId} and {Open})
            """;
}
