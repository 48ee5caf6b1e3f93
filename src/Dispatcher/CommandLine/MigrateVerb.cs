using System.CommandLine;
using Dispatcher.Base;
using Dispatcher.CommandLine.Screens;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.CommandLine;

/// <summary><c>dispatcher migrate</c>: creates and changes the tables, as their owner.</summary>
internal static class MigrateVerb
{
    private static readonly Option<string?> Postgres = OwnerOption.Create();
    private static readonly Option<string?> ServeRole = new("--serve-role")
    {
        Description =
            "Role that \"serve\" connects as. It is granted the rights that serving needs, and loses others that earlier versions granted: "
            + "no DDL, no change of submitted jobs, dead letters or bundles, and on the timeline only insert and select.",
        HelpName = "ROLE",
    };

    public static Verb Create(Terminal terminal)
    {
        var verb = new Verb(
            "migrate",
            "Bring the tables of a PostgreSQL database up to date. Changes nothing when they already are.",
            "DISPATCHER_POSTGRES_FILE=/run/secrets/postgres-owner dispatcher migrate --serve-role dispatcher_serve"
        )
        {
            Postgres,
            ServeRole,
        };
        verb.SetAction(
            (call, cancellationToken) =>
                ServerRun.ToExitCodeAsync(
                    terminal,
                    () =>
                        RunAsync(
                            terminal,
                            call.GetValue(Postgres) ?? ServerSettings.FromEnvironment("DISPATCHER_POSTGRES"),
                            call.GetValue(ServeRole),
                            cancellationToken
                        )
                )
        );
        return verb;
    }

    private static async Task RunAsync(Terminal terminal, string? postgres, string? serveRole, CancellationToken cancellationToken)
    {
        if (postgres is null)
        {
            throw new ExitException(
                ExitCode.WrongUse,
                "No database is given.",
                "Set DISPATCHER_POSTGRES or DISPATCHER_POSTGRES_FILE, or give --postgres."
            );
        }

        var connection = PostgresSetting.Read(postgres);
        await ServerRun.WithNamedSettingsAsync(
            new ConnectionSettings(connection),
            async () =>
            {
                await MigrateAsync(terminal, connection, serveRole, cancellationToken);
                return ExitCode.Done;
            }
        );
    }

    private static async Task MigrateAsync(Terminal terminal, string connection, string? serveRole, CancellationToken cancellationToken)
    {
        var services = new ServiceCollection();
        services.AddPostgresStore(connection);
        await using var provider = services.BuildServiceProvider();
        await using var db = await provider.GetRequiredService<IDbContextFactory<DispatcherDb>>().CreateDbContextAsync(cancellationToken);
        var missing = await Migrator.MissingAsync(db, cancellationToken);
        await Migrator.MigrateAsync(db, cancellationToken);
        if (serveRole is not null)
        {
            await GrantAsync(db, serveRole, cancellationToken);
        }

        terminal.Output.WriteLine(missing.Count == 0 ? "The tables are up to date." : $"Migrated: {string.Join(", ", missing)}.");
    }

    private static async Task GrantAsync(DispatcherDb db, string role, CancellationToken cancellationToken)
    {
        try
        {
            await Migrator.GrantAsync(db, role, cancellationToken);
        }
        catch (ArgumentException wrong)
        {
            throw new ExitException(
                ExitCode.WrongUse,
                $"--serve-role: {wrong.Message}",
                "Give the name of a role that only serves, created with \"create role … login\"."
            );
        }
    }
}
