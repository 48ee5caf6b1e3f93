using System.Data.Common;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Audit.Sealing;

/// <summary>The transaction in which statements run, and the kind of its database.</summary>
internal sealed record SealCall(DbTransaction Transaction, bool IsPostgres)
{
    public DbCommand Command(string sql, params (string Name, object Value)[] values)
    {
        var command = Transaction.Connection!.CreateCommand();
        command.Transaction = Transaction;
#pragma warning disable CA2100 // Constants of this file and names of parameters.
        command.CommandText = sql;
#pragma warning restore CA2100
        foreach (var (name, value) in values)
        {
            var parameter = command.CreateParameter();
            (parameter.ParameterName, parameter.Value) = (name, value);
            command.Parameters.Add(parameter);
        }

        return command;
    }

    /// <summary>A table expression with these columns, whose arrays have one length, and its parameters.</summary>
    public (string Table, (string Name, object Value)[] Values) Rows(string alias, params (string Name, Array Values)[] columns)
    {
        var names = string.Join(", ", columns.Select(column => column.Name));
        if (IsPostgres)
        {
            return (
                $"unnest({string.Join(", ", columns.Select(column => $"@{column.Name}"))}) as {alias} ({names})",
                [.. columns.Select(column => (column.Name, (object)column.Values))]
            );
        }

        var rows = Enumerable.Range(0, columns[0].Values.Length).ToList();
        var selects = rows.Select(i => $"select {string.Join(", ", columns.Select(column => $"@{column.Name}{i} as {column.Name}"))}");
        return (
            $"({string.Join(" union all ", selects)}) as {alias}",
            [.. rows.SelectMany(i => columns.Select(column => ($"{column.Name}{i}", column.Values.GetValue(i)!)))]
        );
    }

    /// <summary>Entries of the range without a seal, in order.</summary>
    public async Task<List<TimelineEntry>> UnsealedAsync(SealRange range, int limit, CancellationToken cancellationToken)
    {
        static string Of(string ids) =>
            $"""
                select * from (
                    select {TimelineRows.Columns} from timeline t
                    where {ids} and {TimelineRows.Unsealed} order by t.entry_id limit @limit) p
                """;

        // Numbers in the text: the databases have no list parameter in common. Two queries: one with "or" reads all entries between the
        // first gap and the last entry, which a gap of some seconds makes 100,000.
        var gaps = range.Gaps.Count == 0 ? "" : $"{Of($"t.entry_id in ({string.Join(',', range.Gaps)})")} union all ";
        await using var command = Command(
            $"{gaps}{Of("t.entry_id > @after")} order by entry_id limit @limit",
            ("after", range.After),
            ("limit", limit)
        );
        var entries = new List<TimelineEntry>();
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        while (await row.ReadAsync(cancellationToken))
        {
            entries.Add(TimelineRows.Read(row));
        }

        return entries;
    }

    public async Task InsertAsync(List<TimelineSeal> seals, CancellationToken cancellationToken)
    {
        var (rows, values) = Rows(
            "i",
            ("seq", seals.Select(seal => seal.Seq).ToArray()),
            ("entry_id", seals.Select(seal => seal.EntryId).ToArray()),
            ("job_id", seals.Select(seal => seal.JobId).ToArray()),
            ("job_previous", seals.Select(seal => seal.JobPrevious).ToArray()),
            ("hash", seals.Select(seal => seal.Hash).ToArray())
        );
        const string Names = "seq, entry_id, job_id, job_previous, hash";
        await using var insert = Command($"insert into timeline_seals ({Names}) select {Names} from {rows}", values);
        await insert.ExecuteNonQueryAsync(cancellationToken);
    }

    public async Task<object?> ScalarAsync(string sql, CancellationToken cancellationToken)
    {
        await using var command = Command(sql);
        return await command.ExecuteScalarAsync(cancellationToken);
    }
}
