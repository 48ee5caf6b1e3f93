using Dispatcher.Base;
using Dispatcher.Jobs;
using Tied = (System.Guid? TiedTo, Dispatcher.Jobs.OutboxMessage Message);

namespace Dispatcher.Storage;

/// <summary>
/// Parts of the statements of <see cref="PostgresStore"/>. A part that writes is a common table expression, with a comma before it. It
/// writes only rows of the ids in <c>done</c>: the ids that the statement inserted or changed. Without rows the part is empty: it would
/// cost time although it writes nothing.
/// </summary>
internal static class PostgresStatements
{
    /// <summary>The database's clock, microseconds since 1970.</summary>
    public const string Now = "(extract(epoch from clock_timestamp()) * 1000000)::bigint";

    /// <summary>
    /// Intake and dispatch hold this advisory lock shared while they compare with the bundle in force; an activation holds it exclusively.
    /// The number is arbitrary.
    /// </summary>
    public const string PolicyLock = "4711001";

    /// <summary>Hash of the bundle in force; empty if there is none.</summary>
    public const string ActiveHash = "coalesce((select hash from active_bundle), '')";

    /// <summary>A query for ids that finds none.</summary>
    public const string NoIds = "select null::uuid as id where false";

    /// <summary>
    /// Begins a batch of jobs or moves. PostgreSQL plans its statements once for each session: a plan for each batch would take longer than
    /// a batch of few jobs. No plan may read a whole table: the table grows while the session keeps the plan.
    /// </summary>
    public static void Begin(PostgresBatch statements, bool underPolicy)
    {
        var first = underPolicy ? $"pg_advisory_xact_lock_shared({PolicyLock})" : "1";
        statements.Add().Text = $"""
            select {first}
            from set_config('plan_cache_mode', 'force_generic_plan', true) once, set_config('enable_seqscan', 'off', true) indexed
            """;
    }

    /// <summary>The expression for a text in the detail of a timeline entry. Null: there is none, or the detail is not JSON.</summary>
    public static string TextOf(string entry, string[] path) =>
        $"timeline_text({entry}.detail, {string.Join(", ", path.Select(name => $"'{name}'"))})";

    /// <summary>
    /// Locks rows by key order. An update locks them in the order of its plan; two updates with different orders deadlock.
    /// </summary>
    public static void LockInOrder(PostgresBatch statements, string table, string key, Guid[] ids)
    {
        var locks = statements.Add();
        locks.Text =
            $"select count(*) from (select from {table} where {key} = any({locks.Value(ids)}) order by {key} for no key update) locked";
    }

    /// <summary>Writes the new rounds of approval whose job is in <c>done</c>.</summary>
    public static string OpenApprovals(PostgresBatch.Statement statement, IReadOnlyList<Approval> approvals) =>
        Insert("opened", statement, "approvals", Columns.Approval, approvals, at: false);

    /// <summary>Adds a statement that writes entries and messages that go with no job row.</summary>
    public static void Record(PostgresBatch statements, IReadOnlyList<TimelineEntry> entries, IReadOnlyList<OutboxMessage> messages)
    {
        var record = statements.Add();
        record.Text = $"""
            with done as (select job_id as id from {record.Rows("e", Columns.Entry, entries)})
            {WriteTimeline(record, entries)}
            {WriteOutbox(record, [.. messages.Select(message => new Tied(null, message))])}
            select 1
            """;
    }

    /// <summary>Writes the entries whose job is in <c>done</c>.</summary>
    public static string WriteTimeline(PostgresBatch.Statement statement, IReadOnlyList<TimelineEntry> entries) =>
        Insert("entries", statement, "timeline", Columns.Entry, entries, at: true);

    /// <summary>Writes the dead letters whose job is in <c>done</c>.</summary>
    public static string WriteDeadLetters(PostgresBatch.Statement statement, IReadOnlyList<DeadLetter> letters) =>
        Insert("letters", statement, "dead_letters", Columns.DeadLetter, letters, at: true);

    /// <summary>Writes the messages that are tied to an id in <c>done</c>, and those that are tied to none.</summary>
    public static string WriteOutbox(PostgresBatch.Statement statement, IReadOnlyList<Tied> messages) =>
        messages.Count == 0
            ? ""
            : $"""
                , messages as (
                    insert into outbox ({Columns.Outbox.Names()}, attempts, parked, next_at)
                    select {Columns.Outbox.Names()}, 0, false, {Now} + {Timestamps.Micros(OutboxMessage.RelayHeadStart)}
                    from {statement.Rows("i", Columns.TiedOutbox, messages)} where tied_to is null or tied_to in (select id from done))
                """;

    /// <summary>
    /// Runs the batch. Its last statement returns the ids that were changed, the hash in force and, of a move, the contradicted ids.
    /// </summary>
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

        // The commit is certain only when every result was read: a failure at the end of the batch must be thrown here.
        while (await reader.NextResultAsync(cancellationToken)) { }

        return done;
    }

    /// <summary>Inserts the rows whose job is in <c>done</c>.</summary>
    private static string Insert<TRow>(
        string name,
        PostgresBatch.Statement statement,
        string table,
        Column<TRow>[] columns,
        IReadOnlyList<TRow> rows,
        bool at
    ) =>
        rows.Count == 0
            ? ""
            : $"""
                , {name} as (
                    insert into {table} ({columns.Names()}{(at ? ", at" : "")})
                    select {columns.Names()}{(at ? $", {Now}" : "")} from {statement.Rows("i", columns, rows)}
                    where job_id in (select id from done))
                """;
}
