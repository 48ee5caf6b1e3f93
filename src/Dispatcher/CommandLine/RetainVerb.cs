using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Dispatcher.Audit.Retaining;
using Dispatcher.Audit.Sealing;
using Dispatcher.Audit.Verification;
using Dispatcher.Base;
using Dispatcher.CommandLine.Screens;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Dispatcher.CommandLine;

/// <summary><c>dispatcher retain</c>: drops the oldest days of the history, as the owner of the tables.</summary>
internal static class RetainVerb
{
    /// <summary>Submissions of the same job, votes and replays of dead letters must not meet a dropped job in everyday work.</summary>
    private const int MinDays = 7;
    private const int MaxDays = 36_500;

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    private static readonly Option<string?> Postgres = OwnerOption.Create();
    private static readonly Option<string> OlderThan = new("--older-than")
    {
        Description = "Age of the days to drop, at least 7d. A day is a day in UTC by the database's clock.",
        HelpName = "DAYS",
        Required = true,
    };
    private static readonly Option<string?> Audit = new("--audit")
    {
        Description =
            "Audit folder of the servers, whose key signs the closing checkpoint. Else DISPATCHER_AUDIT, else audit. The key also from "
            + "DISPATCHER_AUDIT_KEY_FILE.",
        HelpName = "DIR",
    };
    private static readonly Option<string[]> Keys = new("--key")
    {
        Description = "Further public keys (PEM), of servers or earlier retentions with another key; may be repeated.",
        HelpName = "FILE",
    };
    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "Print what would be dropped, and change nothing." };
    private static readonly Option<bool> AsJson = new("--json") { Description = "Print one JSON document." };

    public static Verb Create(Terminal terminal)
    {
        var verb = new Verb(
            "retain",
            "Drop the oldest days whose jobs have all ended, with their entries, behind a signed closing checkpoint. Verifies the history "
                + "first. PostgreSQL only. Exit code 1 when the history is not intact, or another retain is running.",
            "DISPATCHER_POSTGRES_FILE=/run/secrets/postgres-owner dispatcher retain --older-than 30d --audit /var/lib/dispatcher/audit",
            "DISPATCHER_POSTGRES_FILE=/run/secrets/postgres-owner dispatcher retain --older-than 30d --dry-run --json"
        )
        {
            OlderThan,
            Postgres,
            Audit,
            Keys,
            DryRun,
            AsJson,
        };
        verb.SetAction((call, cancellationToken) => ServerRun.ToExitCodeAsync(terminal, () => RunAsync(terminal, call, cancellationToken)));
        return verb;
    }

    /// <summary>The age that <c>--older-than</c> names.</summary>
    internal static TimeSpan Age(string text) =>
        text.EndsWith('d')
        && int.TryParse(text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out var days)
        && days is >= MinDays and <= MaxDays
            ? TimeSpan.FromDays(days)
            : throw new ExitException(
                ExitCode.WrongUse,
                $"--older-than: '{text}' is not an age of {MinDays} to {MaxDays} days.",
                $"Give a whole number of days, for example 30d; at least {MinDays}d."
            );

    private static async Task RunAsync(Terminal terminal, ParseResult call, CancellationToken cancellationToken)
    {
        var age = Age(call.GetValue(OlderThan)!);
        var connection = PostgresSetting.Read(
            call.GetValue(Postgres)
                ?? ServerSettings.FromEnvironment("DISPATCHER_POSTGRES")
                ?? throw new ExitException(
                    ExitCode.WrongUse,
                    "No PostgreSQL database is given, and the SQLite database of an embedded server has no retention.",
                    "Set DISPATCHER_POSTGRES or DISPATCHER_POSTGRES_FILE, or give --postgres."
                )
        );
        using var folder = Open(call.GetValue(Audit) ?? ServerSettings.FromEnvironment("DISPATCHER_AUDIT") ?? "audit");
        var trusted = TrustedCheckpoints.Read([AuditFolder.PublicKeyIn(folder.Path), .. call.GetValue(Keys) ?? []], [folder.Checkpoints]);
        var report = await ServerRun.WithNamedSettingsAsync(
            new ConnectionSettings(connection),
            () => RetainAsync(connection, folder, trusted, (age, call.GetValue(DryRun)), cancellationToken)
        );
        Show(new Screen(terminal), report, call.GetValue(DryRun), call.GetValue(AsJson));
    }

    /// <summary>Without checkpoints it is not the folder of a server of this database, and a key would be made in it.</summary>
    private static AuditFolder Open(string folder) =>
        File.Exists(AuditFolder.CheckpointsIn(folder))
            ? AuditFolder.Open(folder, ServerSettings.FromEnvironment("DISPATCHER_AUDIT_KEY"))
            : throw new ExitException(
                ExitCode.WrongUse,
                $"The audit folder {folder} has no checkpoints.",
                "Give --audit the audit folder of a server of this database."
            );

    private static async Task<RetentionReport> RetainAsync(
        string connection,
        AuditFolder folder,
        TrustedCheckpoints trusted,
        (TimeSpan Age, bool DryRun) options,
        CancellationToken cancellationToken
    )
    {
        var services = new ServiceCollection();
        services.AddPostgresStore(connection);
        await using var provider = services.BuildServiceProvider();
        var contexts = provider.GetRequiredService<IDbContextFactory<DispatcherDb>>();
        await using (var db = await contexts.CreateDbContextAsync(cancellationToken))
        {
            if (await Migrator.MissingInExistingAsync(db, cancellationToken) is { Count: > 0 } missing)
            {
                throw new ExitException(
                    ExitCode.WrongUse,
                    $"The database lacks {string.Join(", ", missing)}.",
                    "Run \"dispatcher migrate\" as the owner of the tables."
                );
            }
        }

        var retainer = new Retainer(provider.GetRequiredService<NpgsqlDataSource>(), contexts, folder, trusted, TimeProvider.System);
        return await retainer.RunAsync(options.Age, options.DryRun, cancellationToken);
    }

    private static void Show(Screen screen, RetentionReport report, bool dryRun, bool json)
    {
        if (json)
        {
            screen.Json(JsonSerializer.Serialize(report, Json));
            return;
        }

        screen.Line(
            report.From is null ? "There are no days to drop."
            : dryRun ? "These days would be dropped; nothing was changed."
            : "These days were dropped."
        );
        screen.Fields(
            ("days", report.From is null ? "" : $"{report.From} to before {report.Before} (UTC)"),
            ("entries", report.From is null ? "" : $"{report.Entries}, kept {report.Kept}"),
            ("closing number", $"{report.Seq}"),
            ("head", report.Head ?? ""),
            ("deleted now", dryRun ? "" : $"{report.Deleted}")
        );
    }
}
