using Dispatcher.Base;
using Dispatcher.Hosting;

namespace Dispatcher.CommandLine;

/// <summary>Runs a server and turns what can go wrong at its start into an exit code and one clear message.</summary>
internal static partial class ServerRun
{
    public static Task UntilStoppedAsync(ServerSettings settings, CancellationToken cancellationToken) =>
        NamingAsync(
            new GivenSettings(settings.Postgres, settings.RabbitMq, settings.DataFolder, settings.Urls),
            async () =>
            {
                await RunAsync(settings, cancellationToken);
                return ExitCode.Done;
            }
        );

    /// <summary>Runs what uses these settings; a failure of a server that they lead to names the setting.</summary>
    public static async Task<T> NamingAsync<T>(GivenSettings settings, Func<Task<T>> run)
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

    public static Task<int> GuardedAsync(Terminal terminal, Func<Task> run) =>
        GuardedAsync(
            terminal,
            async () =>
            {
                await run();
                return ExitCode.Done;
            }
        );

    public static async Task<int> GuardedAsync(Terminal terminal, Func<Task<ExitCode>> run)
    {
        try
        {
            return (int)await run();
        }
#pragma warning disable CA1031 // Each verb ends with an exit code and one message, whatever went wrong.
        catch (Exception fault) when (fault is not OperationCanceledException)
#pragma warning restore CA1031
        {
            var explained = StartFaults.Explain(fault, GivenSettings.None);
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
            await server.RunAsync(cancellationToken);
        }
        catch (OperationCanceledException) when (Environment.ExitCode != 0)
        {
            // Stopped while it still started.
        }

        if (Environment.ExitCode != 0)
        {
            // The worker in this process: a server that goes on without it would take jobs that nobody runs.
            throw new ExitException(
                (ExitCode)Environment.ExitCode,
                "The embedded worker failed, and the server stopped with it.",
                "The log says why; correct that and start again."
            );
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
                "Give a folder that this user may make or write to."
            );
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventIds.Listening, LogLevel.Information, "HTTP listens at {Urls}")]
        public static partial void Listening(ILogger logger, string urls);
    }
}
