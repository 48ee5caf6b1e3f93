using Dispatcher.JourneyWorker;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

// Started by the journeys that kill or freeze a worker.
using var host = JourneyWorkerHost.Build(
    JourneyWorkerSettings.Of(args),
    logging => logging.AddSimpleConsole(console => console.SingleLine = true)
);
await host.RunAsync();
