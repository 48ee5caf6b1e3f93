using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;

namespace Dispatcher.UnitTests.Storage;

/// <summary>The migrations are SQL, so only these tests compare the tables with the model.</summary>
public sealed class ModelTests
{
    /// <summary>Columns of a table that the program never reads.</summary>
    private static readonly string[] OnlyInTheTable = ["active_bundle.only_row"];

    [Fact]
    public async Task The_model_is_as_approved()
    {
        await using var store = await ASqliteStore.MigratedAsync();
        await using var db = await store.Database.CreateDbContextAsync(TestContext.Current.CancellationToken);

        Approved.Matches(
            "Storage/Model",
            db.Model.GetEntityTypes().OrderBy(entity => entity.GetTableName(), StringComparer.Ordinal).SelectMany(Lines)
        );
    }

    [Fact]
    public async Task The_tables_have_exactly_the_columns_of_the_model_and_the_same_ones_may_be_null()
    {
        await using var store = await ASqliteStore.MigratedAsync();
        await using var db = await store.Database.CreateDbContextAsync(TestContext.Current.CancellationToken);
        var columns = await db
            .Database.SqlQuery<string>(
                $"""
                select t.name || '.' || c.name || case when c."notnull" = 1 or c.pk > 0 then '' else ' may be null' end as "Value"
                from sqlite_master t join pragma_table_info(t.name) c
                where t.type = 'table' and t.name not like 'sqlite_%' and t.name not like '__EF%'
                """
            )
            .ToListAsync(TestContext.Current.CancellationToken);

        var model =
            from entity in db.Model.GetEntityTypes()
            from property in entity.GetProperties()
            select $"{entity.GetTableName()}.{property.GetColumnName()}{(property.IsNullable ? " may be null" : "")}";

        Assert.Equal(model.Concat(OnlyInTheTable).Order(StringComparer.Ordinal), columns.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Every_column_of_a_job_is_written_by_the_statements_or_by_the_store_itself()
    {
        string[] byTheStore = ["created_at", "updated_at", "finished_at"];
        await using var store = await ASqliteStore.MigratedAsync();
        await using var db = await store.Database.CreateDbContextAsync(TestContext.Current.CancellationToken);

        var model = db
            .Model.GetEntityTypes()
            .Single(entity => entity.GetTableName() == "jobs")
            .GetProperties()
            .Select(property => property.GetColumnName());

        Assert.Equal(
            model.Order(StringComparer.Ordinal),
            Columns.NewJob.Select(column => column.Name).Concat(byTheStore).Order(StringComparer.Ordinal)
        );
    }

    [Fact]
    public async Task Migrated_database_matches_the_model()
    {
        await using var store = await ASqliteStore.MigratedAsync();
        await using var db = await store.Database.CreateDbContextAsync(TestContext.Current.CancellationToken);

        Assert.Empty(await Migrator.MissingAsync(db, TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("dispatcher; drop table jobs")]
    [InlineData("Serve")]
    [InlineData("public")]
    [InlineData("serve\n")]
    [InlineData("")]
    public async Task Invalid_role_name_never_reaches_the_database(string role)
    {
        await using var store = await ASqliteStore.MigratedAsync();
        await using var db = await store.Database.CreateDbContextAsync(TestContext.Current.CancellationToken);

        await Assert.ThrowsAsync<ArgumentException>(() => Migrator.GrantAsync(db, role, TestContext.Current.CancellationToken));
    }

    private static IEnumerable<string> Lines(IEntityType entity)
    {
        yield return entity.GetTableName()!;
        foreach (var property in entity.GetProperties().OrderBy(property => property.GetColumnName(), StringComparer.Ordinal))
        {
            var constraints = (property.IsNullable ? "" : " not null") + (property.IsPrimaryKey() ? " primary key" : "");
            yield return $"    {property.GetColumnName()} {property.GetColumnType()}{constraints}";
        }

        foreach (
            var index in entity
                .GetIndexes()
                .Select(index =>
                    $"    {(index.IsUnique ? "unique " : "")}index "
                    + $"({string.Join(", ", index.Properties.Select(property => property.GetColumnName()))})"
                )
                .Order(StringComparer.Ordinal)
        )
        {
            yield return index;
        }
    }
}
