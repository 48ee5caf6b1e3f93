using Dispatcher;
using Dispatcher.CommandLine.Screens;
using Dispatcher.Embedded;
using Dispatcher.ReferenceWorker.Processes;

// The released program is one file and has no other program beside it: it is the supervisor of its own worker.
if (args is [Supervisor.Mode] && OperatingSystem.IsLinux())
{
    return await Supervisor.RunAsync(Console.OpenStandardInput(), Console.OpenStandardOutput());
}

EmbeddedWorker.RestartWithoutDiagnostics(args);
return await RootCommandLine.InvokeAsync(args, Terminal.OfProcess);
