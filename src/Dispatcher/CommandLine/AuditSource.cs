using System.CommandLine;
using Dispatcher.Audit.Sealing;
using Dispatcher.Audit.Verification;
using Dispatcher.Base;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.CommandLine;

/// <summary>Which history to read, and which files to believe. The database is read directly: an answer of the server would only be its word.</summary>
internal sealed class AuditSource
{
    private readonly Option<string?> _postgres = new("--postgres")
    {
        Description =
            "Npgsql connection string, or a postgres:// URL; reading is enough. Else DISPATCHER_POSTGRES, or DISPATCHER_POSTGRES_FILE with the path of a file: use one of these for one with a password, since other users see arguments.",
        HelpName = "CONNECTION",
    };
    private readonly Option<string?> _data = new("--data")
    {
        Description = "Data folder of an embedded server, which may run meanwhile. Else DISPATCHER_DATA.",
        HelpName = "DIR",
    };
    private readonly Option<string?> _audit = new("--audit")
    {
        Description =
            "Audit folder, whose checkpoints and public key are used when the options below do not name others. Else DISPATCHER_AUDIT, else audit (embedded: in the data folder), if it is there.",
        HelpName = "DIR",
    };
    private readonly Option<string[]> _checkpoints = new("--checkpoint")
    {
        Description = "File of checkpoints kept outside the database; can be given several times.",
        HelpName = "FILE",
    };
    private readonly Option<string[]> _keys = new("--key")
    {
        Description = "Public key that checkpoints must be signed with (PEM); can be given several times.",
        HelpName = "FILE",
    };

    public void AddDatabaseTo(Verb verb)
    {
        verb.Add(_postgres);
        verb.Add(_data);
    }

    public void AddTrustTo(Verb verb)
    {
        verb.Add(_audit);
        verb.Add(_checkpoints);
        verb.Add(_keys);
    }

    public TrustedCheckpoints Trusted(ParseResult call)
    {
        var folder =
            call.GetValue(_audit)
            ?? ServerSettings.FromEnvironment("DISPATCHER_AUDIT")
            ?? (Data(call) is { } data ? EmbeddedFiles.Audit(data) : "audit");
        var (checkpoints, keys) = (call.GetValue(_checkpoints) ?? [], call.GetValue(_keys) ?? []);
        return TrustedCheckpoints.Read(
            keys.Length > 0 ? keys : Existing(AuditFolder.PublicKeyIn(folder)),
            checkpoints.Length > 0 ? checkpoints : Existing(AuditFolder.CheckpointsIn(folder))
        );
    }

    /// <summary>Runs with the history of the database that was named.</summary>
    public Task<T> WithDatabaseAsync<T>(ParseResult call, Func<IHistory, Task<T>> run, CancellationToken cancellationToken)
    {
        var (postgres, data) = Database(call);
        return ServerRun.NamingAsync(
            new GivenSettings(postgres, Data: data),
            () => WithDatabaseAsync(postgres, data, run, cancellationToken)
        );
    }

    private static async Task<T> WithDatabaseAsync<T>(
        string? postgres,
        string? data,
        Func<IHistory, Task<T>> run,
        CancellationToken cancellationToken
    )
    {
        var services = new ServiceCollection();
        if (postgres is not null)
        {
            services.AddPostgresStore(postgres);
        }
        else
        {
            services.AddSqliteStore(EmbeddedFiles.Database(data!));
        }

        await using var provider = services.BuildServiceProvider();
        var database = provider.GetRequiredService<IDbContextFactory<DispatcherDb>>();
        await using (var db = await database.CreateDbContextAsync(cancellationToken))
        {
            if (await Migrator.MissingInExistingAsync(db, cancellationToken) is { Count: > 0 } missing)
            {
                throw new ExitException(
                    ExitCode.WrongUse,
                    $"The database lacks {string.Join(", ", missing)}.",
                    "Run \"dispatcher migrate\" as the owner of the tables, or start the embedded server once."
                );
            }
        }

        await using var history = await StoreHistory.OpenAsync(database, cancellationToken);
        return await run(history);
    }

    /// <summary>The one of the two that is named.</summary>
    private (string? Postgres, string? Data) Database(ParseResult call)
    {
        var (postgres, data) = (call.GetValue(_postgres), call.GetValue(_data));
        (postgres, data) = (
            postgres ?? (data is null ? ServerSettings.FromEnvironment("DISPATCHER_POSTGRES") : null),
            data ?? (postgres is null ? ServerSettings.FromEnvironment("DISPATCHER_DATA") : null)
        );
        if (postgres is not null && data is not null)
        {
            throw new ExitException(ExitCode.WrongUse, "Two databases are named.", "Give one of --postgres and --data.");
        }

        if (postgres is not null)
        {
            return (PostgresSetting.Read(postgres), null);
        }

        var file = data is null
            ? throw new ExitException(
                ExitCode.WrongUse,
                "No database is named.",
                "Give --postgres or --data, or set DISPATCHER_POSTGRES or DISPATCHER_DATA."
            )
            : EmbeddedFiles.Database(data);
        return File.Exists(file)
            ? (null, data)
            : throw new ExitException(ExitCode.WrongUse, $"There is no {file}.", "Give the data folder of an embedded server.");
    }

    private string? Data(ParseResult call) =>
        call.GetValue(_data)
        ?? (
            call.GetValue(_postgres) is null && ServerSettings.FromEnvironment("DISPATCHER_POSTGRES") is null
                ? ServerSettings.FromEnvironment("DISPATCHER_DATA")
                : null
        );

    private static string[] Existing(string file) => File.Exists(file) ? [file] : [];
}
