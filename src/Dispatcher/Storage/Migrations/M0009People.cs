using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Dispatcher.Storage.Migrations;

/// <summary>
/// A key that was made without a person had its subject there, so that two keys of one person counted as two. Such a key names nobody
/// now. Who is meant, only an administrator can say: with a new key, or with a binding.
/// </summary>
[DbContext(typeof(DispatcherDb))]
[Migration("0009_people")]
internal sealed class M0009People : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) =>
        migrationBuilder.Sql("update api_keys set person = '' where person = subject");
}
