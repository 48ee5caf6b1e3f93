using Dispatcher;
using Dispatcher.CommandLine.Screens;
using Dispatcher.Embedded;

EmbeddedWorker.RestartWithoutDiagnostics(args);
return await RootCommandLine.InvokeAsync(args, Terminal.OfProcess);
