using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Storage;

namespace Dispatcher.Persistence.Tables;

/// <summary>An entity's table and columns as the model names them, quoted for the database.</summary>
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
                $"{db.GetType().Name} has no {type.Name} in its model. The inbox and outbox are added by modelBuilder.AddOutbox(), a saga by modelBuilder.Entity<{type.Name}>()."
            );
        _table =
            StoreObjectIdentifier.Create(_entity, StoreObjectType.Table)
            ?? throw new InvalidOperationException(
                $"{type.Name} has no table in the model of {db.GetType().Name}; what is locked or claimed must be a table."
            );
        _quotes = db.GetService<ISqlGenerationHelper>();
        Name = _quotes.DelimitIdentifier(_table.Name, _table.Schema);
    }

    public string Name { get; }

    /// <summary>Every column, also those that owned types or a row version add, so that a query written by hand has what EF Core reads.</summary>
    public string AllColumns =>
        string.Join(", ", _entity.GetTableMappings().First().Table.Columns.Select(column => _quotes.DelimitIdentifier(column.Name)));

    public string this[string property] => _quotes.DelimitIdentifier(_entity.FindProperty(property)!.GetColumnName(_table)!);

    public static bool OnPostgres(DbContext db) => db.Database.ProviderName == "Npgsql.EntityFrameworkCore.PostgreSQL";
}
