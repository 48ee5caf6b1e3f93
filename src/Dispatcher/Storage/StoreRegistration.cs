using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace Dispatcher.Storage;

/// <summary>Puts one of the two stores into the container.</summary>
internal static class StoreRegistration
{
    public static void AddPostgresStore(this IServiceCollection services, string connectionString)
    {
        services.AddSingleton(_ => new NpgsqlDataSourceBuilder(WithDefaults(connectionString)).Build());
        services.AddPooledDbContextFactory<DispatcherDb>(
            (provider, options) =>
                options
                    .UseNpgsql(provider.GetRequiredService<NpgsqlDataSource>(), npgsql => npgsql.ExecutionStrategy(FaultsAsTheyAre))
                    .ConfigureWarnings(IgnoreHandWritten)
        );
        services.AddSingleton<IStore, PostgresStore>();
        AddShared(services);
    }

    public static void AddSqliteStore(this IServiceCollection services, string file)
    {
        services.AddPooledDbContextFactory<DispatcherDb>(options =>
            options.UseSqlite($"Data Source={file};Default Timeout=30").ConfigureWarnings(IgnoreHandWritten)
        );
        services.AddSingleton<IStore, SqliteStore>();
        AddShared(services);
    }

    private static void AddShared(IServiceCollection services)
    {
        services.AddSingleton(provider => new StoreHealth(
            provider.GetService<NpgsqlDataSource>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<StoreHealth>>()
        ));
    }

    /// <summary>Migrations are written by hand, so that there is no snapshot to compare the model with; a test compares it with the tables instead.</summary>
    private static void IgnoreHandWritten(WarningsConfigurationBuilder warnings) =>
        warnings.Ignore(RelationalEventId.PendingModelChangesWarning);

    /// <summary>Npgsql's own strategy wraps a lost connection in an InvalidOperationException, which nobody here takes for one: background loops would end by it.</summary>
    private static NonRetryingExecutionStrategy FaultsAsTheyAre(ExecutionStrategyDependencies dependencies) => new(dependencies);

    /// <summary>The few statements are the same all day: prepare them. A database that vanished is noticed by keep-alives.</summary>
    /// <summary>Seconds. A caller waits 5 s at most, and Npgsql does not cancel the opening of a connection to a server that is frozen.</summary>
    private const int LongestConnect = 4;

    private static string WithDefaults(string connectionString)
    {
        var builder = new NpgsqlConnectionStringBuilder(connectionString);
        builder.MaxAutoPrepare = builder.MaxAutoPrepare == 0 ? 40 : builder.MaxAutoPrepare;
        builder.KeepAlive = builder.KeepAlive == 0 ? 15 : builder.KeepAlive;
        builder.ApplicationName ??= "dispatcher";
        builder.Timeout = builder.ContainsKey("Timeout") ? builder.Timeout : LongestConnect;
        if (builder.Host?.Contains(',', StringComparison.Ordinal) == true && builder.TargetSessionAttributes is null)
        {
            // Of several servers one takes writes. Without this a session may lead to a standby, and all of its writes fail.
            builder.TargetSessionAttributes = "read-write";
        }

        return builder.ConnectionString;
    }
}
