using System.Data.Common;
using Dispatcher.Jobs;

namespace Dispatcher.Storage;

/// <summary>Reads timeline entries from a hand-written query that names the table <c>t</c> and begins with <see cref="Columns"/>.</summary>
internal static class TimelineRows
{
    public const string Columns = "t.entry_id, t.job_id, t.at, t.kind, t.attempt, t.actor, t.detail";

    /// <summary>How many columns these are: the next one is at this place.</summary>
    public const int Count = 7;

    public static TimelineEntry Read(DbDataReader row) =>
        new()
        {
            EntryId = row.GetInt64(0),
            JobId = row.GetGuid(1),
            At = row.GetInt64(2),
            Kind = row.GetString(3),
            Attempt = row.GetInt32(4),
            Actor = row.GetString(5),
            Detail = row.GetFieldValue<byte[]>(6),
        };
}
