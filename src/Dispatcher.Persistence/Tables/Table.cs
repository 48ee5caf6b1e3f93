using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Storage;

namespace Dispatcher.Persistence.Tables;

/// <summary>The names of an entity's table and columns in the model, quoted for the database.</summary>
internal sealed class Table
{
    private readonly IEntityType _entity;
    private readonly ISqlGenerationHelper _quotes;
    private readonly StoreObjectIdentifier _table;

    public Table(DbContext db, Type type)
    {
        _entity =
            db.Model.FindEntityType(type)
            ?? throw new InvalidOperationException(
                $"{db.GetType().Name} has no {type.Name} in its model. "
                    + $"Add inbox and outbox with modelBuilder.AddOutbox(), a saga with modelBuilder.Entity<{type.Name}>()."
            );
        _table =
            StoreObjectIdentifier.Create(_entity, StoreObjectType.Table)
            ?? throw new InvalidOperationException(
                $"{type.Name} has no table in the model of {db.GetType().Name}. Map it to a table: other mappings cannot be locked."
            );
        _quotes = db.GetService<ISqlGenerationHelper>();
        Name = _quotes.DelimitIdentifier(_table.Name, _table.Schema);
    }

    public string Name { get; }

    /// <summary>All columns, with those of owned types and row versions, so that a handwritten query returns what EF Core reads.</summary>
    public string AllColumns =>
        string.Join(", ", _entity.GetTableMappings().First().Table.Columns.Select(column => _quotes.DelimitIdentifier(column.Name)));

    public string this[string property] => _quotes.DelimitIdentifier(_entity.FindProperty(property)!.GetColumnName(_table)!);

    public static bool OnPostgres(DbContext db) => db.Database.ProviderName == "Npgsql.EntityFrameworkCore.PostgreSQL";
}
