using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace Dispatcher.Storage;

/// <summary>Which statements are traced. It is registered only if something listens to traces.</summary>
internal delegate void NpgsqlTracing(NpgsqlTracingOptionsBuilder options);

/// <summary>Registers one of the two stores.</summary>
internal static class StoreRegistration
{
    /// <summary>A caller waits at most 5 s, and Npgsql does not cancel the opening of a connection to a server that hangs.</summary>
    private const int MaxConnectSeconds = 4;

    public static void AddPostgresStore(this IServiceCollection services, string connectionString)
    {
        services.AddSingleton(provider =>
        {
            var source = new NpgsqlDataSourceBuilder(WithDefaults(connectionString));
            // The default is the connection string, which would be an attribute of every span.
            source.Name = "dispatcher";
            return (provider.GetService<NpgsqlTracing>() is { } tracing ? source.ConfigureTracing(new(tracing)) : source).Build();
        });
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

    /// <summary>
    /// Migrations have no model snapshot, because they are written as SQL. A test compares the model with the tables instead.
    /// </summary>
    private static void IgnoreHandWritten(WarningsConfigurationBuilder warnings) =>
        warnings.Ignore(RelationalEventId.PendingModelChangesWarning);

    /// <summary>
    /// Keeps faults as they are. Npgsql's strategy wraps a lost connection in an <see cref="InvalidOperationException"/>, which
    /// <c>DbFaults</c> would not classify as an outage.
    /// </summary>
    private static NonRetryingExecutionStrategy FaultsAsTheyAre(ExecutionStrategyDependencies dependencies) => new(dependencies);

    /// <summary>
    /// Adds settings that the connection string does not have: prepared statements, because the same few run all day; keep-alives, which
    /// notice a database that no longer answers; no reset of a session, because all its locks and settings end with their transaction; and
    /// no compiled statements: until a new table is analyzed, PostgreSQL expects so many rows that it compiles a statement of milliseconds
    /// for a second.
    /// </summary>
    private static string WithDefaults(string connectionString)
    {
        var builder = new NpgsqlConnectionStringBuilder(connectionString);
        builder.MaxAutoPrepare = builder.MaxAutoPrepare == 0 ? 40 : builder.MaxAutoPrepare;
        builder.KeepAlive = builder.KeepAlive == 0 ? 15 : builder.KeepAlive;
        builder.NoResetOnClose = true;
        builder.Options = $"-c jit=off {builder.Options}";
        builder.ApplicationName ??= "dispatcher";
        builder.Timeout = builder.ContainsKey("Timeout") ? builder.Timeout : MaxConnectSeconds;
        if (builder.Host?.Contains(',', StringComparison.Ordinal) == true && builder.TargetSessionAttributes is null)
        {
            // Only one of several servers takes writes. Without this, a session may reach a standby, and all of its writes fail.
            builder.TargetSessionAttributes = "read-write";
        }

        return builder.ConnectionString;
    }
}
