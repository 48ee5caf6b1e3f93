using RabbitMQ.Client;

namespace Dispatcher.Benchmarks.Children;

/// <summary>The queues of the limit.</summary>
internal static class LimitQueues
{
    public const string Submit = "limit.submit";
    public const string Dispatch = "limit.dispatch";
    public const string Work = "limit.work";
    public const string Outcome = "limit.outcome";

    public static readonly string[] All = [Submit, Dispatch, Work, Outcome];
}

/// <summary>
/// The hand-written limit: the four hops of a job in one process, each a consumer that takes up to 200 messages, commits them with one
/// statement, acks them at once and sends the next messages with confirms. It has the durable rows of the product and none of its checks.
/// </summary>
internal static class LimitChild
{
    public static async Task RunAsync(LimitSettings settings, CancellationToken cancellationToken)
    {
        await using var store = new LimitStore(settings);
        await store.PrepareAsync(cancellationToken);
        var factory = new ConnectionFactory { Uri = settings.RabbitMq };
        await using var connection = await factory.CreateConnectionAsync(cancellationToken);
        await DeclareAsync(connection, cancellationToken);

        var done = 0L;
        Func<IReadOnlyList<LimitDelivery>, Task<IReadOnlyList<LimitMessage>>> outcome = async batch =>
        {
            var messages = await store.OutcomeAsync(batch, cancellationToken);
            Interlocked.Add(ref done, batch.Count);
            return messages;
        };
        List<Task> hops = [];
        foreach (
            var (queue, commit) in new (string, Func<IReadOnlyList<LimitDelivery>, Task<IReadOnlyList<LimitMessage>>>)[]
            {
                (LimitQueues.Submit, batch => store.SubmitAsync(batch, cancellationToken)),
                (LimitQueues.Dispatch, batch => store.DispatchAsync(batch, cancellationToken)),
                (LimitQueues.Work, batch => store.WorkAsync(batch, cancellationToken)),
                (LimitQueues.Outcome, outcome),
            }
        )
        {
            var hop = await LimitHop.StartAsync(connection, queue, commit, store.SentAsync, cancellationToken);
            hops.Add(hop.RunAsync(cancellationToken));
        }

        await ChildProgram.AnswerWhileAsync(() => Interlocked.Read(ref done), hops, cancellationToken);
    }

    private static async Task DeclareAsync(IConnection connection, CancellationToken cancellationToken)
    {
        await using var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
        var quorum = new Dictionary<string, object?> { ["x-queue-type"] = "quorum" };
        foreach (var queue in LimitQueues.All)
        {
            await channel.QueueDeclareAsync(
                queue,
                durable: true,
                exclusive: false,
                autoDelete: false,
                quorum,
                cancellationToken: cancellationToken
            );
        }

        await channel.ExchangeDeclareAsync(
            Contracts.Exchanges.Events,
            ExchangeType.Topic,
            durable: true,
            cancellationToken: cancellationToken
        );
    }
}

/// <param name="RabbitMq">The broker and virtual host.</param>
/// <param name="Postgres">A migrated database.</param>
/// <param name="Effect">Whether each job has one idempotent effect row.</param>
/// <param name="Events">Whether the end of each job is published to the events exchange.</param>
internal sealed record LimitSettings(Uri RabbitMq, string Postgres, bool Effect, bool Events);

/// <summary>A message as it was delivered. The body is a copy.</summary>
internal readonly record struct LimitDelivery(ulong Tag, Guid JobId, byte[] Body);

/// <summary>A message to send. Stored: its row is in the outbox until the broker has confirmed it.</summary>
internal readonly record struct LimitMessage(
    Guid Id,
    Guid JobId,
    string Exchange,
    string RoutingKey,
    ReadOnlyMemory<byte> Body,
    bool Stored
);
