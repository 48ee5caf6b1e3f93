using System.Data.Common;
using System.Net.Sockets;
using System.Security.Authentication;
using Dispatcher.Base;
using Dispatcher.Storage;
using Microsoft.AspNetCore.Connections;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Options;
using Npgsql;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Dispatcher.CommandLine;

/// <summary>
/// Turns whatever ends a verb, or a server at its start, into one message that names the setting, what was seen without secrets, and the fix. An
/// unknown fault has a message too, because a stack does not help a person who mistyped a setting; the log level <c>Debug</c> shows the stack.
/// </summary>
internal static class StartFaults
{
    private const string RabbitMqName = "DISPATCHER_RABBITMQ (or --rabbitmq)";
    private const string UnknownDatabase = "3D000";
    private const string BadConfigurationValue = "Failed to convert configuration value";

    public static ExitException Explain(Exception fault, GivenSettings settings) =>
        Chain(fault).OfType<ExitException>().FirstOrDefault()
        ?? OfOptions(fault)
        ?? Chain(fault).OfType<SqliteException>().Select(lost => OfSqlite(lost, settings.Data)).FirstOrDefault()
        ?? (
            settings.Postgres is { } postgres && Chain(fault).OfType<DbException>().FirstOrDefault() is { } database
                ? OfPostgres(database, postgres)
                : null
        )
        ?? (settings.RabbitMq is { } broker && Chain(fault).Any(IsOfBroker) ? OfRabbitMq(fault, broker) : null)
        ?? OfUrls(fault, settings)
        ?? new ExitException(
            fault is IOException or UnauthorizedAccessException or SocketException or DbException or BrokerUnreachableException
                ? ExitCode.Unreachable
                : ExitCode.WrongUse,
            $"This failed: {fault.GetBaseException().Message} ({fault.GetBaseException().GetType().Name})",
            "Correct the setting or the file that the message names. DISPATCHER_LOG_LEVEL=Debug shows where it happened.",
            fault
        );

    private static ExitException? OfOptions(Exception fault)
    {
        if (Chain(fault).OfType<OptionsValidationException>().FirstOrDefault() is { } wrong)
        {
            return new ExitException(
                ExitCode.WrongUse,
                string.Join("; ", wrong.Failures),
                "Correct the option; the message says what is allowed."
            );
        }

        return Chain(fault).FirstOrDefault(inner => inner.Message.StartsWith(BadConfigurationValue, StringComparison.Ordinal))
                is { } unreadable
                ? new ExitException(
                    ExitCode.WrongUse,
                    unreadable.Message,
                    "Correct the option: in the environment \"Section:Name\" is Section__Name."
                )
            : Chain(fault).OfType<PlatformNotSupportedException>().FirstOrDefault() is { } unable
                ? new ExitException(
                    ExitCode.WrongUse,
                    unable.Message,
                    "Correct that, or start the server with --no-worker and run the worker elsewhere."
                )
            : null;
    }

    private static ExitException OfSqlite(SqliteException fault, string? folder) =>
        new(
            ExitCode.Unreachable,
            $"DISPATCHER_DATA (or --data): the database {(folder is null ? "" : EmbeddedFiles.Database(folder) + " ")}cannot be used: {fault.Message}",
            "Check that the folder is this user's, can be written to and has room."
        );

    private static ExitException OfPostgres(DbException fault, string postgres)
    {
        var (said, fix) = fault switch
        {
            PostgresException { SqlState: UnknownDatabase } unknown => (
                unknown.MessageText,
                "Make the database with \"createdb\", or correct its name."
            ),
            PostgresException refused when refused.SqlState.StartsWith("28", StringComparison.Ordinal) => (
                refused.MessageText,
                "Correct user and password, or pg_hba.conf of the server."
            ),
            PostgresException other => ($"{other.SqlState} {other.MessageText}", "The message is PostgreSQL's own; correct what it names."),
            _ => (Reason(fault), "Check host and port, and that PostgreSQL runs there and accepts connections from here."),
        };
        return new ExitException(
            ExitCode.Unreachable,
            $"{PostgresSetting.Name}: {PostgresSetting.Shown(postgres)} cannot be used: {said}",
            fix
        );
    }

    private static ExitException OfRabbitMq(Exception fault, string address)
    {
        var to = new ConnectionFactory { Uri = new Uri(address) };
        var said = Reason(fault);
        var fix =
            Chain(fault)
                .Any(inner =>
                    inner is AuthenticationFailureException || inner.Message.Contains("ACCESS_REFUSED - Login", StringComparison.Ordinal)
                )
                ? "Correct user and password; special characters in the address are percent-encoded."
            : said.Contains("vhost", StringComparison.Ordinal) && said.Contains("not found", StringComparison.Ordinal)
                ? $"Make the virtual host with \"rabbitmqctl add_vhost {to.VirtualHost}\", or correct the last part of the address: / alone is the default one."
            : said.Contains("refused for user", StringComparison.Ordinal)
                ? $"Give the user its rights: \"rabbitmqctl set_permissions -p {to.VirtualHost} {to.UserName} …\"; ops/README.md lists them under \"Broker users\"."
            : Chain(fault).Any(inner => inner is AuthenticationException or IOException) && to.Ssl.Enabled
                ? "Check that this is the TLS port (5671) and that its certificate is for this host; without TLS write amqp://."
            : "Check host and port, and that RabbitMQ runs there and accepts connections from here.";
        return new ExitException(
            ExitCode.Unreachable,
            $"{RabbitMqName}: {to.UserName}@{to.HostName}:{to.Endpoint.Port}, virtual host {to.VirtualHost}, cannot be used: {said}",
            fix
        );
    }

    private static ExitException? OfUrls(Exception fault, GivenSettings settings)
    {
        // Kestrel reports a taken address by an IOException, any other one by the socket's own exception.
        var isOfKestrel = Chain(fault)
            .Any(inner =>
                inner is AddressInUseException
                || inner.StackTrace?.Contains("Microsoft.AspNetCore.Server.Kestrel", StringComparison.Ordinal) == true
            );
        return settings.Urls is not null && isOfKestrel
            ? new ExitException(
                ExitCode.Unreachable,
                $"DISPATCHER_URLS (or --urls): HTTP cannot listen at {settings.Urls}: {Reason(fault)}",
                "Stop the program that has the address, or choose an address and a port of this machine that are free; https also needs a certificate."
            )
            : null;
    }

    private static bool IsOfBroker(Exception fault) =>
        fault is BrokerUnreachableException or OperationInterruptedException or RabbitMQClientException;

    /// <summary>The innermost message: the outer ones say no more than that something failed.</summary>
    private static string Reason(Exception fault) => Chain(fault).Last().Message.TrimEnd('.');

    private static IEnumerable<Exception> Chain(Exception fault)
    {
        for (
            var inner = fault;
            inner is not null;
            inner = inner is AggregateException several ? several.InnerExceptions.FirstOrDefault() : inner.InnerException
        )
        {
            yield return inner;
        }
    }
}

/// <summary>The settings that lead to servers, as they were given to a verb. Null: it has none of the kind.</summary>
internal sealed record GivenSettings(string? Postgres = null, string? RabbitMq = null, string? Data = null, string? Urls = null)
{
    public static readonly GivenSettings None = new();
}
