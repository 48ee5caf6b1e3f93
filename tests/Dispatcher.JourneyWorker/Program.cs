using System.Globalization;
using Dispatcher.JourneyWorker;
using Dispatcher.Worker;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

// Started by the journeys: POOL CONCURRENCY RABBITMQ URL KEY DATABASE [SECONDS that its clock is ahead]. A process of its own, so that it can be killed and frozen.
var builder = Host.CreateEmptyApplicationBuilder(null);
builder
    .Logging.AddSimpleConsole(console => console.SingleLine = true)
    .SetMinimumLevel(LogLevel.Information)
    .AddFilter("Dispatcher.Worker.Running", LogLevel.Debug);
builder.Services.AddSingleton(new Notebook(args[5]));
builder.Services.AddSingleton<TimeProvider>(
    new ShiftedTime(TimeSpan.FromSeconds(args.Length > 6 ? int.Parse(args[6], CultureInfo.InvariantCulture) : 0))
);
builder
    .Services.AddDispatcherWorker(
        args[0],
        options =>
        {
            options.Concurrency = int.Parse(args[1], CultureInfo.InvariantCulture);
            options.RabbitMq = new Uri(args[2]);
            options.Dispatcher = new Uri(args[3]);
            options.ApiKey = args[4];
            options.EffectStore = args[5];
            options.StopGrace = TimeSpan.FromSeconds(1);
        }
    )
    .Handle<CountingHandler>("job.test.once")
    .Handle<CountingHandler>("job.test.stream")
    .Handle<CountingHandler>("job.test.brisk")
    .Handle<CountingHandler>("job.test.held")
    .Handle<CountingHandler>("job.test.handover")
    .Handle<CountingHandler>("job.test.careful")
    .Handle<CountingHandler>("job.test.limited")
    .Handle<CountingHandler>("job.test.line")
    .Handle<FaultyHandler>("job.test.faulty")
    .Handle<FaultyHandler>("job.test.downstream");
using var host = builder.Build();
await host.RunAsync();
