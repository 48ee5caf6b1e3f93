using System.Text.Json.Serialization;
using MassTransit;

namespace Dispatcher.Benchmarks.Children;

/// <summary>Plain MassTransit: the four hops of a job in one process, each an ordinary handler that sends the next message.</summary>
internal static class MassTransitChild
{
    public const string Submit = "masstransit-submit";

    private const string Dispatch = "masstransit-dispatch";
    private const string Work = "masstransit-work";
    private const string Outcome = "masstransit-outcome";
    private const int Prefetch = 256;

    public static async Task RunAsync(Uri rabbitMq, bool events, CancellationToken cancellationToken)
    {
        var done = 0L;
        var bus = Bus.Factory.CreateUsingRabbitMq(configure =>
        {
            configure.Host(rabbitMq);
            Receive<MassTransitJob>(configure, Submit, context => SendAsync(context, Dispatch, context.Message), raw: true);
            Receive<MassTransitJob>(configure, Dispatch, context => SendAsync(context, Work, context.Message));
            Receive<MassTransitJob>(
                configure,
                Work,
                context => SendAsync(context, Outcome, new MassTransitOutcome { JobId = context.Message.JobId })
            );
            Receive<MassTransitOutcome>(
                configure,
                Outcome,
                async context =>
                {
                    if (events)
                    {
                        await PublishEndAsync(context);
                    }

                    Interlocked.Increment(ref done);
                }
            );
        });
        await bus.StartAsync(cancellationToken);
        await ChildProgram.AnswerAsync(() => Interlocked.Read(ref done), cancellationToken);
        await bus.StopAsync(CancellationToken.None);
    }

    private static void Receive<T>(IRabbitMqBusFactoryConfigurator configure, string queue, MessageHandler<T> handler, bool raw = false)
        where T : class =>
        configure.ReceiveEndpoint(
            queue,
            endpoint =>
            {
                endpoint.SetQuorumQueue();
                endpoint.PrefetchCount = Prefetch;
                endpoint.ConfigureConsumeTopology = false;
                if (raw)
                {
                    endpoint.UseRawJsonDeserializer(RawSerializerOptions.AnyMessageType, isDefault: true);
                }

                endpoint.Handler(handler);
            }
        );

    private static async Task SendAsync<T>(ConsumeContext context, string queue, T message)
        where T : class
    {
        // Not "queue:": that declares the queue again with other arguments.
        var endpoint = await context.GetSendEndpoint(new Uri("exchange:" + queue));
        await endpoint.Send(message, context.CancellationToken);
    }

    private static async Task PublishEndAsync(ConsumeContext<MassTransitOutcome> context)
    {
        var endpoint = await context.GetSendEndpoint(new Uri($"exchange:{Contracts.Exchanges.Events}?type=topic"));
        await endpoint.Send(context.Message, send => send.SetRoutingKey("succeeded.bench.job.bench.t0"), context.CancellationToken);
    }
}

/// <summary>The submission as MassTransit reads and sends it.</summary>
public sealed record MassTransitJob
{
    [JsonPropertyName("job_id")]
    public Guid JobId { get; init; }

    [JsonPropertyName("topic")]
    public string Topic { get; init; } = "";

    [JsonPropertyName("labels")]
    public Dictionary<string, string> Labels { get; init; } = [];

    [JsonPropertyName("payload")]
    public MassTransitPayload Payload { get; init; } = new();
}

/// <summary>The payload of the benchmark's jobs.</summary>
public sealed record MassTransitPayload
{
    [JsonPropertyName("number")]
    public int Number { get; init; }

    [JsonPropertyName("command")]
    public string[] Command { get; init; } = [];

    [JsonPropertyName("text")]
    public string Text { get; init; } = "";
}

/// <summary>The end of a job.</summary>
public sealed record MassTransitOutcome
{
    [JsonPropertyName("job_id")]
    public Guid JobId { get; init; }
}
