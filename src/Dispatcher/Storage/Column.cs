using Npgsql;
using NpgsqlTypes;

namespace Dispatcher.Storage;

/// <summary>
/// One column of a statement that writes many rows: its name and how to get its value. PostgreSQL takes the values of all rows as one
/// array, SQLite takes one row at a time.
/// </summary>
internal abstract class Column<TRow>(string name, NpgsqlDbType type)
{
    public string Name => name;

    /// <summary>The type's name in PostgreSQL, for the cast in <c>unnest</c>.</summary>
    public string TypeName { get; } =
        type switch
        {
            NpgsqlDbType.Uuid => "uuid",
            NpgsqlDbType.Text => "text",
            NpgsqlDbType.Bytea => "bytea",
            NpgsqlDbType.Bigint => "bigint",
            NpgsqlDbType.Integer => "integer",
            NpgsqlDbType.Boolean => "boolean",
            _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Add the type to Column."),
        };

    /// <summary>The values of all rows, as one parameter.</summary>
    public abstract NpgsqlParameter Array(IReadOnlyList<TRow> rows);

    /// <summary>The value of one row.</summary>
    public abstract object? Value(TRow row);

    /// <summary>The same column for an outer row that contains this row.</summary>
    public abstract Column<TOuter> Of<TOuter>(Func<TOuter, TRow> select);
}

/// <summary>A column whose values are of type <typeparamref name="TValue"/>.</summary>
internal sealed class Column<TRow, TValue>(string name, NpgsqlDbType type, Func<TRow, TValue> get) : Column<TRow>(name, type)
{
    private readonly NpgsqlDbType _type = type;

    public override NpgsqlParameter Array(IReadOnlyList<TRow> rows)
    {
        var values = new TValue[rows.Count];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = get(rows[i]);
        }

        return new NpgsqlParameter<TValue[]> { TypedValue = values, NpgsqlDbType = NpgsqlDbType.Array | _type };
    }

    public override object? Value(TRow row) => get(row);

    public override Column<TOuter> Of<TOuter>(Func<TOuter, TRow> select) =>
        new Column<TOuter, TValue>(Name, _type, outer => get(select(outer)));
}
