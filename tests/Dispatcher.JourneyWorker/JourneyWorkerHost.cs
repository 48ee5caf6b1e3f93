using System.Globalization;
using Dispatcher.Worker;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Dispatcher.JourneyWorker;

/// <summary>The worker of the journeys. It runs as this program or inside the process of the tests.</summary>
internal static class JourneyWorkerHost
{
    public static IHost Build(JourneyWorkerSettings settings, Action<ILoggingBuilder> addProvider)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        addProvider(builder.Logging.SetMinimumLevel(LogLevel.Information).AddFilter("Dispatcher.Worker.Running", LogLevel.Debug));
        builder.Services.AddSingleton(_ => new Notebook(settings.Database));
        builder.Services.AddSingleton<TimeProvider>(new ShiftedTime(TimeSpan.FromSeconds(settings.SecondsAhead)));
        builder
            .Services.AddDispatcherWorker(
                settings.Pool,
                options =>
                {
                    options.Concurrency = settings.Concurrency;
                    options.RabbitMq = settings.RabbitMq;
                    options.Dispatcher = settings.Dispatcher;
                    options.ApiKey = settings.ApiKey;
                    options.EffectStore = settings.Database;
                    options.StopGrace = TimeSpan.FromSeconds(1);
                    options.Instance = settings.Instance ?? options.Instance;
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
        return builder.Build();
    }
}

/// <summary>
/// The settings of a journey for its worker. <c>Database</c> is the connection string of the effect store and of the notebook.
/// <c>SecondsAhead</c> is how much the clock is ahead. <c>Instance</c> distinguishes the workers of one process; null: the default of the
/// worker library.
/// </summary>
internal sealed record JourneyWorkerSettings(
    string Pool,
    int Concurrency,
    Uri RabbitMq,
    Uri Dispatcher,
    string ApiKey,
    string Database,
    int SecondsAhead = 0,
    string? Instance = null
)
{
    /// <summary>The settings as arguments of the program.</summary>
    public string[] Arguments() =>
        [
            Pool,
            Concurrency.ToString(CultureInfo.InvariantCulture),
            RabbitMq.AbsoluteUri,
            Dispatcher.AbsoluteUri,
            ApiKey,
            Database,
            SecondsAhead.ToString(CultureInfo.InvariantCulture),
        ];

    public static JourneyWorkerSettings Of(string[] arguments) =>
        new(
            arguments[0],
            int.Parse(arguments[1], CultureInfo.InvariantCulture),
            new Uri(arguments[2]),
            new Uri(arguments[3]),
            arguments[4],
            arguments[5],
            int.Parse(arguments[6], CultureInfo.InvariantCulture)
        );
}
