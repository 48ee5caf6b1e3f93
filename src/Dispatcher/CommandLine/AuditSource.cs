using System.CommandLine;
using Dispatcher.Audit.Sealing;
using Dispatcher.Audit.Verification;
using Dispatcher.Base;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.CommandLine;

/// <summary>
/// The options that name the history to verify and the trusted files. The database is read directly, because a verification must not trust
/// the server.
/// </summary>
internal sealed class AuditSource
{
    private readonly Option<string?> _postgres = new("--postgres")
    {
        Description =
            "Npgsql connection string, or a postgres:// URL; the role needs only read rights. Else DISPATCHER_POSTGRES, or "
            + "DISPATCHER_POSTGRES_FILE with the path of a file: use one of these for one with a password, since other "
            + "users see arguments.",
        HelpName = "CONNECTION",
    };
    private readonly Option<string?> _data = new("--data")
    {
        Description = "Data folder of an embedded server; the server may be running. Else DISPATCHER_DATA.",
        HelpName = "DIR",
    };
    private readonly Option<string?> _audit = new("--audit")
    {
        Description =
            "Audit folder with the checkpoints and the public key to use unless --checkpoint or --key names others. Else DISPATCHER_AUDIT, "
            + "else audit (embedded: in the data folder), if it exists.",
        HelpName = "DIR",
    };
    private readonly Option<string[]> _checkpoints = new("--checkpoint")
    {
        Description = "File of checkpoints that is stored outside the database; may be repeated.",
        HelpName = "FILE",
    };
    private readonly Option<string[]> _keys = new("--key")
    {
        Description = "Public key (PEM) that must verify the signatures of the checkpoints; may be repeated.",
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

    /// <summary>Opens the history of the database that the options name.</summary>
    public Task<T> WithDatabaseAsync<T>(ParseResult call, Func<IHistory, Task<T>> run, CancellationToken cancellationToken)
    {
        var (postgres, data) = Database(call);
        return ServerRun.WithNamedSettingsAsync(
            new ConnectionSettings(postgres, Data: data),
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

    /// <summary>The database that the options or the environment name: exactly one of the two.</summary>
    private (string? Postgres, string? Data) Database(ParseResult call)
    {
        var (postgres, data) = (call.GetValue(_postgres), call.GetValue(_data));
        (postgres, data) = (
            postgres ?? (data is null ? ServerSettings.FromEnvironment("DISPATCHER_POSTGRES") : null),
            data ?? (postgres is null ? ServerSettings.FromEnvironment("DISPATCHER_DATA") : null)
        );
        if (postgres is not null && data is not null)
        {
            throw new ExitException(ExitCode.WrongUse, "Both --postgres and --data name a database.", "Give only one of them.");
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
            : throw new ExitException(ExitCode.WrongUse, $"File {file} does not exist.", "Give the data folder of an embedded server.");
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
