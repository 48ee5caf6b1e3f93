using Dispatcher.Jobs;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;

namespace Dispatcher.StoreTests.Storage;

/// <summary>The migrations are SQL; the tables that they make must match the model.</summary>
public abstract class SchemaTests(StoreKind kind) : StoreTest(kind)
{
    [Fact]
    public async Task The_tables_have_the_columns_of_the_model()
    {
        var expected = await ReadAsync(db =>
            Task.FromResult(
                db.Model.GetEntityTypes()
                    .SelectMany(entity => entity.GetProperties().Select(property => Line(entity.GetTableName()!, property)))
                    .ToList()
            )
        );

        // This column limits the table to one row.
        var seen = (await ColumnsAsync()).Where(line => !line.StartsWith("active_bundle.only_row ", StringComparison.Ordinal));

        Assert.Equal(expected.Order(StringComparer.Ordinal), seen.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Statements_write_every_column_of_a_job_that_the_store_does_not_set()
    {
        var written = Columns.NewJob.Select(column => column.Name).Concat(["created_at", "updated_at", "finished_at"]);

        var expected = await ReadAsync(db =>
            Task.FromResult(db.Model.FindEntityType(typeof(Job))!.GetProperties().Select(property => property.GetColumnName()).ToList())
        );

        Assert.Equal(expected.Order(StringComparer.Ordinal), written.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Migrated_database_has_no_pending_migration()
    {
        await using var db = await Database.Contexts.CreateDbContextAsync(Stop);
        await StoredAsync(AJob.New());

        Assert.Empty(await Migrator.MissingAsync(db, Stop));
        await Migrator.MigrateAsync(db, Stop);

        Assert.Equal(1, await Database.CountAsync("jobs"));
    }

    /// <summary>"table.column null|not null", and on PostgreSQL its type.</summary>
    private protected abstract Task<IEnumerable<string>> ColumnsAsync();

    private protected abstract string TypeOf(IProperty property);

    private string Line(string table, IProperty property) =>
        $"{table}.{property.GetColumnName()} {(property.IsNullable ? "null" : "not null")}{TypeOf(property)}";
}

public sealed class PostgresSchemaTests() : SchemaTests(StoreKind.Postgres)
{
    private protected override async Task<IEnumerable<string>> ColumnsAsync() =>
        (
            await Database.QueryAsync(
                """
                select table_name || '.' || column_name || case is_nullable when 'YES' then ' null ' else ' not null ' end || data_type
                from information_schema.columns where table_schema = 'public' and table_name not like '\_\_%'
                """
            )
        ).Select(row => (string)row[0]!);

    private protected override string TypeOf(IProperty property) => " " + property.GetColumnType();
}

/// <summary>SQLite does not enforce the type of a column, and a text primary key may be null, which no row uses.</summary>
public sealed class SqliteSchemaTests() : SchemaTests(StoreKind.Sqlite)
{
    private protected override async Task<IEnumerable<string>> ColumnsAsync() =>
        (
            await Database.QueryAsync(
                """
                select t.name || '.' || c.name || iif(c."notnull" or c.pk, ' not null', ' null')
                from sqlite_schema t, pragma_table_info(t.name) c
                where t.type = 'table' and t.name not like '\_\_%' escape '\' and t.name not like 'sqlite%'
                """
            )
        ).Select(row => (string)row[0]!);

    private protected override string TypeOf(IProperty property) => "";
}
