using Dispatcher.Base;
using Dispatcher.Jobs;
using Tied = (System.Guid? TiedTo, Dispatcher.Jobs.OutboxMessage Message);

namespace Dispatcher.Storage;

/// <summary>The parts that several statements of <see cref="PostgresStore"/> are made of. Each part that writes is a table expression, and looks at <c>done</c>: the ids that the statement changed.</summary>
internal static class PostgresStatements
{
    public const string Now = "(extract(epoch from clock_timestamp()) * 1000000)::bigint";
    public const string ActiveHash = "coalesce((select hash from active_bundle), '')";

    /// <summary>A text in the detail of a timeline entry; null when there is none, or the detail cannot be read.</summary>
    public static string TextOf(string entry, string[] path) =>
        $"timeline_text({entry}.detail, {string.Join(", ", path.Select(name => $"'{name}'"))})";

    /// <summary>An update joined to a set locks the rows in the order of its plan; two that differ in it could wait for each other.</summary>
    public static void LockInOrder(PostgresBatch statements, string table, string key, Guid[] ids)
    {
        var locks = statements.Add();
        locks.Text =
            $"select count(*) from (select from {table} where {key} = any({locks.Value(ids)}) order by {key} for no key update) locked";
    }

    public static string OpenApprovals(PostgresBatch.Statement statement, IReadOnlyList<Approval> approvals) =>
        $"""
            opened as (
                insert into approvals ({Columns.Approval.Names()})
                select {Columns.Approval.Names()} from {statement.Rows(
                "i",
                Columns.Approval,
                approvals
            )} where job_id in (select id from done))
            """;

    public static void Record(PostgresBatch statements, IReadOnlyList<TimelineEntry> entries, IReadOnlyList<OutboxMessage> messages)
    {
        var record = statements.Add();
        record.Text = $"""
            with done as (select job_id as id from {record.Rows("e", Columns.Entry, entries)}),
            {WriteTimeline(record, entries)},
            {WriteOutbox(record, messages.Select(message => new Tied(null, message)))}
            select 1
            """;
    }

    public static string WriteTimeline(PostgresBatch.Statement statement, IReadOnlyList<TimelineEntry> entries) =>
        $"""
            entries as (
                insert into timeline ({Columns.Entry.Names()}, at)
                select {Columns.Entry.Names()}, {Now} from {statement.Rows(
                "i",
                Columns.Entry,
                entries
            )} where job_id in (select id from done))
            """;

    public static string WriteOutbox(PostgresBatch.Statement statement, IEnumerable<Tied> messages) =>
        $"""
            messages as (
                insert into outbox ({Columns.Outbox.Names()}, attempts, parked, next_at)
                select {Columns.Outbox.Names()}, 0, false, {Now} + {Timestamps.Micros(OutboxMessage.RelayHeadStart)}
                from {statement.Rows("i", Columns.TiedOutbox, [.. messages])} where tied_to is null or tied_to in (select id from done))
            """;

    public static async Task<Committed> CommittedAsync(PostgresBatch statements, CancellationToken cancellationToken)
    {
        await using var reader = await statements.ReadAsync(cancellationToken);
        while (reader.FieldCount < 2)
        {
            await reader.NextResultAsync(cancellationToken);
        }

        await reader.ReadAsync(cancellationToken);
        var done = new Committed(reader.GetFieldValue<Guid[]>(0).ToHashSet(), reader.GetString(1))
        {
            Contradicted = reader.FieldCount > 2 ? reader.GetFieldValue<Guid[]>(2).ToHashSet() : [],
        };

        // The commit is only known once everything has been read: a failure of the batch's end must surface here.
        while (await reader.NextResultAsync(cancellationToken)) { }

        return done;
    }
}
