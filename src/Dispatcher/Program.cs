using Dispatcher;
using Dispatcher.CommandLine.Screens;
using Dispatcher.Embedded;

EmbeddedWorker.CloseProcess(args);
return await RootCommandLine.InvokeAsync(args, Terminal.OfProcess);
