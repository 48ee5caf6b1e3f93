using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Dispatcher.Storage.Migrations;

/// <summary>
/// A key without a person had its subject in that column, so two keys of one person counted as two persons. Such a key now names no person.
/// An administrator names the person with a new key or a binding.
/// </summary>
[DbContext(typeof(DispatcherDb))]
[Migration("0009_people")]
internal sealed class M0009People : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) =>
        migrationBuilder.Sql("update api_keys set person = '' where person = subject");
}
