using Dispatcher.CommandLine;
using Dispatcher.Embedding;

EmbeddedWorker.CloseProcess(args);
return await RootCommandLine.InvokeAsync(args, Terminal.OfProcess);
