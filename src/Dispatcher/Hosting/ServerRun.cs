using System.Data.Common;
using System.Net.Sockets;
using Dispatcher.CommandLine;
using Dispatcher.Embedding;
using Microsoft.Extensions.Options;
using RabbitMQ.Client.Exceptions;

namespace Dispatcher.Hosting;

/// <summary>Runs a server and turns what can go wrong at its start into an exit code and one clear message.</summary>
internal static class ServerRun
{
    public static async Task UntilStoppedAsync(ServerSettings settings, CancellationToken cancellationToken)
    {
        using var files = settings.IsEmbedded ? EmbeddedFiles.Open(settings.DataFolder!) : null;
        await using var server = Server.Build(settings);
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
            throw new VerbFailedException((ExitCode)Environment.ExitCode, "The embedded worker failed, and the server stopped with it.", "The log says why; correct that and start again.");
        }
    }

    public static Task<int> GuardedAsync(Terminal terminal, Func<Task> run) => GuardedAsync(terminal, async () =>
    {
        await run();
        return ExitCode.Done;
    });

    public static async Task<int> GuardedAsync(Terminal terminal, Func<Task<ExitCode>> run)
    {
        try
        {
            return (int)await run();
        }
        catch (VerbFailedException failure)
        {
            new Screen(terminal).Failure(failure.Message, failure.Fix);
            return (int)failure.Code;
        }
        catch (OptionsValidationException wrong)
        {
            new Screen(terminal).Failure(string.Join("; ", wrong.Failures), "Correct the option; the message says what is allowed.");
            return (int)ExitCode.WrongUse;
        }
        catch (PlatformNotSupportedException unable)
        {
            new Screen(terminal).Failure(unable.Message, "Correct that, or start the server with --no-worker and run the worker elsewhere.");
            return (int)ExitCode.WrongUse;
        }
        catch (Exception away) when (away is DbException or BrokerUnreachableException or SocketException or IOException)
        {
            new Screen(terminal).Failure($"Something that this needs cannot be used: {Chain(away)}", "Check the addresses and credentials, and that the database and the broker are up.");
            return (int)ExitCode.Unreachable;
        }
    }

    /// <summary>The messages from the outside in: the outer one names the target, the inner one the cause.</summary>
    private static string Chain(Exception? failure)
    {
        var messages = new List<string>();
        for (; failure is not null; failure = failure.InnerException)
        {
            if (!messages.Exists(message => message.Contains(failure.Message, StringComparison.Ordinal)))
            {
                messages.Add(failure.Message.TrimEnd('.'));
            }
        }

        return string.Join(": ", messages);
    }
}
