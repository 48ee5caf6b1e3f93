using Npgsql;

namespace Dispatcher.Storage;

/// <summary>
/// Statements that are sent in one round trip and committed as one transaction. Each statement sees everything that was committed before it
/// began, so a lock that the first takes is held while the second reads.
/// </summary>
internal sealed class PostgresBatch(NpgsqlConnection connection) : IAsyncDisposable
{
    private readonly NpgsqlBatch _batch = connection.CreateBatch();

    public async Task RunAsync(CancellationToken cancellationToken) => await _batch.ExecuteNonQueryAsync(cancellationToken);

    public async Task<NpgsqlDataReader> ReadAsync(CancellationToken cancellationToken) =>
        await _batch.ExecuteReaderAsync(cancellationToken);

    public Statement Add()
    {
        var command = new NpgsqlBatchCommand();
        _batch.BatchCommands.Add(command);
        return new Statement(command);
    }

    public ValueTask DisposeAsync() => _batch.DisposeAsync();

    /// <summary>One statement whose inputs are sets of rows.</summary>
    internal sealed class Statement(NpgsqlBatchCommand command)
    {
        public string Text
        {
            set => command.CommandText = value;
        }

        /// <summary>Adds rows as one array for each column. Returns the table expression that selects them.</summary>
        public string Rows<TRow>(string alias, IReadOnlyList<Column<TRow>> columns, IReadOnlyList<TRow> rows)
        {
            var arrays = columns.Select(column =>
            {
                command.Parameters.Add(column.Array(rows));
                return $"${command.Parameters.Count}::{column.TypeName}[]";
            });
            return $"unnest({string.Join(", ", arrays)}) as {alias} ({columns.Names()})";
        }

        /// <summary>Adds one value. Returns its placeholder.</summary>
        public string Value<T>(T value)
        {
            command.Parameters.Add(new NpgsqlParameter<T> { TypedValue = value });
            return $"${command.Parameters.Count}";
        }
    }
}
