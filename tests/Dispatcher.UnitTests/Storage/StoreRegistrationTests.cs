using Dispatcher.Storage;
using Npgsql;

namespace Dispatcher.UnitTests.Storage;

public sealed class StoreRegistrationTests
{
    /// <summary>Only one of several servers takes writes. All writes of a session to a standby would fail.</summary>
    [Theory]
    [InlineData("Host=a,b", "read-write")]
    [InlineData("Host=a:5432,b:5433", "read-write")]
    [InlineData("Host=a,b;Target Session Attributes=prefer-standby", "prefer-standby")]
    [InlineData("Host=a", null)]
    public async Task Session_of_several_hosts_goes_to_the_writable_one_unless_the_setting_names_a_target(string given, string? attributes)
    {
        var services = new ServiceCollection();
        services.AddPostgresStore(given + ";Database=jobs");
        await using var provider = services.BuildServiceProvider();

        var source = provider.GetRequiredService<NpgsqlDataSource>();

        Assert.Equal(attributes, new NpgsqlConnectionStringBuilder(source.ConnectionString).TargetSessionAttributes);
    }

    /// <summary>Npgsql sends seven statements to reset a session, more than most callers send themselves.</summary>
    [Fact]
    public async Task Session_is_reused_without_a_reset()
    {
        var services = new ServiceCollection();
        services.AddPostgresStore("Host=a;Database=jobs");
        await using var provider = services.BuildServiceProvider();

        var source = provider.GetRequiredService<NpgsqlDataSource>();

        Assert.True(new NpgsqlConnectionStringBuilder(source.ConnectionString).NoResetOnClose);
    }

    /// <summary>Compiling a statement of milliseconds took a second while the tables were new.</summary>
    [Theory]
    [InlineData("Host=a;Database=jobs", "-c jit=off")]
    [InlineData("Host=a;Database=jobs;Options=-c work_mem=8MB", "-c jit=off -c work_mem=8MB")]
    public async Task Database_compiles_no_statement_and_keeps_the_options_of_the_connection_string(string connection, string options)
    {
        var services = new ServiceCollection();
        services.AddPostgresStore(connection);
        await using var provider = services.BuildServiceProvider();

        var source = provider.GetRequiredService<NpgsqlDataSource>();

        Assert.Equal(options, new NpgsqlConnectionStringBuilder(source.ConnectionString).Options?.Trim());
    }
}
