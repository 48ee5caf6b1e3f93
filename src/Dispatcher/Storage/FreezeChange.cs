using Dispatcher.Jobs;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Storage;

/// <summary>A new freeze, or the end of one, and its timeline entry. The same transaction writes both.</summary>
/// <param name="Freeze">The row after the change: without an end it is new.</param>
internal sealed record FreezeChange(Freeze Freeze)
{
    /// <summary>
    /// The condition that a freeze stops a dispatch, for the <c>where</c> of a statement in both databases. The statement runs while no
    /// freeze can be written: see <see cref="IStore.ChangeFreezesAsync"/>.
    /// </summary>
    /// <param name="now">The expression for the database's clock.</param>
    /// <param name="topic">The expression for the topic of the job.</param>
    /// <param name="pool">The expression for the pool that gets the attempt.</param>
    public static string Stops(string now, string topic, string pool) =>
        $"""
            exists (
                select 1 from freezes f where f.ended_at is null and f.until > {now} and (
                    f.kind = '{FreezeKinds.All}' or (f.kind = '{FreezeKinds.Topic}' and f.target = {topic})
                    or (f.kind = '{FreezeKinds.Pool}' and f.target = {pool})))
            """;

    /// <summary>The timeline entry. It belongs to no job, so its job id is all zeros.</summary>
    public TimelineEntry Entry =>
        new()
        {
            JobId = Guid.Empty,
            Kind = Freeze.EndedAt is null ? TimelineKinds.Frozen : TimelineKinds.Unfrozen,
            Actor = Freeze.EndedBy ?? Freeze.Actor,
            Detail = TimelineEntry.Json(
                new
                {
                    Freeze.FreezeId,
                    Target = Freeze.Kind,
                    Name = Freeze.Target.Length == 0 ? null : Freeze.Target,
                    Freeze.Until,
                    Reason = Freeze.EndReason ?? Freeze.Reason,
                }
            ),
        };
}
