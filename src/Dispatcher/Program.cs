using Dispatcher.CommandLine;

return await RootCommandLine.InvokeAsync(args, Terminal.OfProcess);
