using System.Data.Common;
using Dispatcher.Jobs;

namespace Dispatcher.Storage;

/// <summary>
/// Reads timeline entries from an SQL query whose alias for the table is <c>t</c> and which starts with <see cref="Columns"/>.
/// </summary>
internal static class TimelineRows
{
    public const string Columns = "t.entry_id, t.job_id, t.at, t.kind, t.attempt, t.actor, t.detail";

    /// <summary>
    /// The condition for an entry without a seal. The subquery looks up one seal in an index. For "not exists", PostgreSQL may compare
    /// every entry with every seal when it expects few rows.
    /// </summary>
    public const string Unsealed = "(select s.seq from timeline_seals s where s.entry_id = t.entry_id) is null";

    /// <summary>The number of these columns, which is the index of the next column.</summary>
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
