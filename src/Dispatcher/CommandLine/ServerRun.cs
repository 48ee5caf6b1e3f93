using Dispatcher.Base;
using Dispatcher.CommandLine.Screens;
using Dispatcher.Hosting;

namespace Dispatcher.CommandLine;

/// <summary>Runs a server, and turns faults of its start into an exit code and one message.</summary>
internal static partial class ServerRun
{
    public static Task UntilStoppedAsync(ServerSettings settings, CancellationToken cancellationToken) =>
        WithNamedSettingsAsync(
            new ConnectionSettings(settings.Postgres, settings.RabbitMq, settings.DataFolder, settings.Urls),
            async () =>
            {
                await RunAsync(settings, cancellationToken);
                return ExitCode.Done;
            }
        );

    /// <summary>
    /// Runs an action that connects with these settings. A fault of the connection becomes an error that names the setting.
    /// </summary>
    public static async Task<T> WithNamedSettingsAsync<T>(ConnectionSettings settings, Func<Task<T>> run)
    {
        try
        {
            return await run();
        }
        catch (Exception fault) when (fault is not (OperationCanceledException or ExitException))
        {
            throw StartFaults.Explain(fault, settings);
        }
    }

    /// <summary>The error of a verb for any fault, with the database of its setting.</summary>
    public static ExitException Explained(Exception fault, string? postgres) =>
        StartFaults.Explain(fault, new ConnectionSettings(postgres));

    public static Task<int> ToExitCodeAsync(Terminal terminal, Func<Task> run) =>
        ToExitCodeAsync(
            terminal,
            async () =>
            {
                await run();
                return ExitCode.Done;
            }
        );

    public static async Task<int> ToExitCodeAsync(Terminal terminal, Func<Task<ExitCode>> run)
    {
        try
        {
            return (int)await run();
        }
#pragma warning disable CA1031 // A verb ends every fault with an exit code and one message.
        catch (Exception fault) when (fault is not OperationCanceledException)
#pragma warning restore CA1031
        {
            var explained = StartFaults.Explain(fault, ConnectionSettings.None);
            new Screen(terminal).Failure(explained.Message, explained.Fix);
            if (terminal.Variable("DISPATCHER_LOG_LEVEL") is "Debug" or "Verbose")
            {
                terminal.Error.WriteLine(explained.InnerException);
            }

            return (int)explained.Code;
        }
    }

    private static async Task RunAsync(ServerSettings settings, CancellationToken cancellationToken)
    {
        using var files = settings.IsEmbedded ? Open(settings.DataFolder!) : null;
        await using var server = Server.Build(settings);
        server.Lifetime.ApplicationStarted.Register(() => Log.Listening(server.Logger, string.Join(", ", server.Urls)));
        try
        {
            await StartAsync(server, cancellationToken);
            await server.WaitForShutdownAsync(cancellationToken);
        }
        catch (OperationCanceledException) when (Environment.ExitCode != 0)
        {
            // The server was stopped during its start.
        }

        if (Environment.ExitCode != 0)
        {
            // The worker in this process failed: without it the server would accept jobs that cannot run.
            throw new ExitException(
                (ExitCode)Environment.ExitCode,
                "The embedded worker failed, and the server stopped with it.",
                "Correct the reason that the log states, and start again."
            );
        }
    }

    /// <summary>After a failed start, stops the services that have started: otherwise their loops use a disposed container.</summary>
    private static async Task StartAsync(WebApplication server, CancellationToken cancellationToken)
    {
        try
        {
            await server.StartAsync(cancellationToken);
        }
        catch
        {
            await server.StopAsync(CancellationToken.None);
            throw;
        }
    }

    private static IDisposable Open(string folder)
    {
        try
        {
            return EmbeddedFiles.Open(folder);
        }
        catch (Exception unusable)
            when (unusable is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new ExitException(
                ExitCode.WrongUse,
                $"DISPATCHER_DATA (or --data): the folder {folder} cannot be used: {unusable.Message}",
                "Give a folder that this user may create or write to."
            );
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventIds.Listening, LogLevel.Information, "HTTP listens at {Urls}")]
        public static partial void Listening(ILogger logger, string urls);
    }
}
