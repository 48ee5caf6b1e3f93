using Dispatcher.Base;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Dispatcher.Broker;

/// <summary>
/// Declares every exchange, queue and binding: at the start, each time an endpoint connects (<see cref="TopologyCheck"/>), for the pools of
/// a new bundle, and every few seconds. It declares a deleted part again and logs its name. The server is not ready while a part is missing
/// or has other arguments.
/// </summary>
/// <remarks>
/// AMQP cannot query a binding, so each verification declares all of them. The connection is separate, because the broker does not read
/// from a connection that publishes during a memory or disk alarm.
/// </remarks>
internal sealed partial class RabbitTopology(
    RabbitConnection connection,
    Func<IEnumerable<string>> poolsInForce,
    DispatcherMetrics metrics,
    TimeProvider time,
    ILogger<RabbitTopology> logger
) : Loop(Period, time, logger)
{
    /// <summary>The service key of its connection in the container.</summary>
    public const string Connection = "topology";

    /// <summary>Its name on the broker, by which a connected server is recognized.</summary>
    public const string ConnectionName = "dispatcher topology";

    private const ushort AccessRefused = 403;
    private const ushort NotFound = 404;
    private const ushort ResourceLocked = 405;
    private const ushort PreconditionFailed = 406;
    private const int MaxNamed = 3;
    private const string Fix = " (stop the servers and run \"dispatcher queues migrate\")";
    private const string NotVerified = "the topology was not verified yet";

    /// <summary>How soon the queues of a new bundle's pools are declared.</summary>
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    /// <summary>Longest time that a lost binding stays unnoticed. A verification takes about 60 round trips.</summary>
    private static readonly TimeSpan VerifiedFor = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim _one = new(1, 1);

    /// <summary>Parts that an earlier verification found or declared. If one is missing now, it was deleted.</summary>
    private readonly HashSet<string> _known = [];
    private volatile IReadOnlyCollection<string> _pools = [];
    private volatile IReadOnlyDictionary<string, QueueLoad> _queues = new SortedDictionary<string, QueueLoad>();
    private long _beganAt;

    /// <summary>The fault of the topology, or the reason why it could not be verified. Null: it is correct.</summary>
    public string? Trouble { get; private set; } = NotVerified;

    /// <summary>The pools of the bundle in force whose queue is not declared yet.</summary>
    public IReadOnlyList<string> PoolsWithoutQueue => [.. poolsInForce().Except(_pools).Order(StringComparer.Ordinal)];

    /// <summary>The number of unrouted messages at the last verification.</summary>
    public UnroutedCount Unrouted { get; private set; } = new(0, 0);

    /// <summary>What each declared queue held at the last verification, by name.</summary>
    public IReadOnlyDictionary<string, QueueLoad> Queues => _queues;

    /// <summary>Stops the start with an error if a part exists with other arguments or must not be declared.</summary>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await VerifyAsync(cancellationToken);
        if (Trouble is { } trouble)
        {
            throw new ExitException(
                ExitCode.WrongUse,
                $"The broker's topology is wrong: {trouble}",
                "Give queues of an earlier version the arguments of this one with \"dispatcher queues migrate\", "
                    + "give the broker user the rights in ops/README.md, or give Dispatcher a virtual host of its own."
            );
        }

        await UnbindRetiredAsync(cancellationToken);
        Log.Declared(logger);
        await base.StartAsync(cancellationToken);
    }

    public override async Task OnceAsync(CancellationToken cancellationToken)
    {
        // A wrong topology is verified in each round: a round without a verification would count as a success.
        if (Trouble is not null || Time.GetElapsedTime(Interlocked.Read(ref _beganAt)) >= VerifiedFor || PoolsWithoutQueue.Count > 0)
        {
            await VerifyAsync(cancellationToken);
        }
    }

    /// <summary>Verifies all parts. Concurrent callers share one verification, if it began after their call.</summary>
    public async Task VerifyAsync(CancellationToken cancellationToken)
    {
        var calledAt = Time.GetTimestamp();
        await _one.WaitAsync(cancellationToken);
        try
        {
            if (Interlocked.Read(ref _beganAt) <= calledAt)
            {
                Interlocked.Exchange(ref _beganAt, Time.GetTimestamp());
                await VerifyAllAsync(cancellationToken);
            }
        }
        catch (Exception unavailable) when (!cancellationToken.IsCancellationRequested)
        {
            Report($"the broker cannot be reached: {unavailable.GetBaseException().Message}");
            throw;
        }
        finally
        {
            _one.Release();
        }
    }

    public override void Dispose()
    {
        _one.Dispose();
        base.Dispose();
    }

    private async Task VerifyAllAsync(CancellationToken cancellationToken)
    {
        var channel = new RabbitChannel(await OpenAsync(cancellationToken), new CreateChannelOptions(false, false));
        await using (channel)
        {
            var wrong = new List<string>();
            var queues = new SortedDictionary<string, QueueLoad>(StringComparer.Ordinal);
            if (Trouble is not null && await IsMigratingAsync(channel, cancellationToken))
            {
                wrong.Add("a queue migration is not finished; run \"dispatcher queues migrate\"");
            }

            foreach (var part in TopologyPart.OfServer)
            {
                wrong.AddRange(await VerifyAsync(channel, part, queues, cancellationToken));
            }

            var declared = new List<string>();
            foreach (var pool in poolsInForce().ToList())
            {
                var ofPool = await VerifyAsync(channel, TopologyPart.OfPool(pool), queues, cancellationToken);
                wrong.AddRange(ofPool);
                declared.AddRange(ofPool.Count == 0 ? [pool] : []);
            }

            (_pools, _queues) = (declared, queues);
            var more = wrong.Count > MaxNamed ? $"; and {wrong.Count - MaxNamed} more" : "";
            Report(wrong.Count == 0 ? null : string.Join("; ", wrong.Take(MaxNamed)) + more);
            await CountAsync(channel, cancellationToken);
        }
    }

    /// <summary>Verifies one part and declares it if it is missing. Returns what is wrong with it; empty: it is correct.</summary>
    private async Task<IReadOnlyList<string>> VerifyAsync(
        RabbitChannel channel,
        TopologyPart part,
        SortedDictionary<string, QueueLoad> queues,
        CancellationToken cancellationToken
    )
    {
        try
        {
            var (exists, queue) = await FindAsync(channel, part, cancellationToken);
            if (!exists && _known.Contains(part.Name))
            {
                Log.Lost(logger, part.Name);
            }
            else if (queue is not null)
            {
                queues[queue.QueueName] = new QueueLoad(queue.MessageCount, queue.ConsumerCount);
            }

            await part.DeclareAsync(await channel.OpenAsync(cancellationToken), cancellationToken);
            _known.Add(part.Name);
            return [];
        }
        catch (OperationInterruptedException refused)
            when (refused.ShutdownReason is { ReplyCode: AccessRefused or NotFound or ResourceLocked or PreconditionFailed } reason)
        {
            // Any other code concerns the connection and not the part, for example a virtual host that does not exist.
            return
            [
                reason.ReplyCode == PreconditionFailed
                    ? $"{part.Name} has other arguments: {reason.ReplyText}{(part.QueueName is null ? "" : Fix)}"
                    : $"{part.Name} cannot be declared: {reason.ReplyText}",
            ];
        }
    }

    /// <summary>
    /// Asked until the topology is right once: the migration refuses while a server is connected, so none begins later.
    /// </summary>
    private static async Task<bool> IsMigratingAsync(RabbitChannel channel, CancellationToken cancellationToken)
    {
        try
        {
            await (await channel.OpenAsync(cancellationToken)).ExchangeDeclarePassiveAsync(QueueNames.Migrating, cancellationToken);
            return true;
        }
        catch (OperationInterruptedException missing) when (missing.ShutdownReason?.ReplyCode == NotFound)
        {
            return false;
        }
    }

    private static async Task<(bool Exists, QueueDeclareOk? Queue)> FindAsync(
        RabbitChannel channel,
        TopologyPart part,
        CancellationToken cancellationToken
    )
    {
        try
        {
            return (true, await part.FindAsync(await channel.OpenAsync(cancellationToken), cancellationToken));
        }
        catch (OperationInterruptedException missing) when (missing.ShutdownReason?.ReplyCode == NotFound)
        {
            return (false, null);
        }
    }

    private async Task CountAsync(RabbitChannel channel, CancellationToken cancellationToken)
    {
        try
        {
            var open = await channel.OpenAsync(cancellationToken);
            var unrouted = await open.MessageCountAsync(QueueNames.Unrouted, cancellationToken);
            Unrouted = new UnroutedCount(unrouted, await open.MessageCountAsync(QueueNames.Undelivered, cancellationToken));
            metrics.UnroutedSeen(Unrouted.Waiting, Unrouted.Undelivered);
        }
        catch (OperationInterruptedException)
        {
            // The verification of the queues has reported the cause already.
        }
    }

    /// <summary>Runs after the new bindings exist, so that a message that arrives meanwhile reaches both queues instead of none.</summary>
    private async Task UnbindRetiredAsync(CancellationToken cancellationToken)
    {
        await using var channel = new RabbitChannel(await OpenAsync(cancellationToken), new CreateChannelOptions(false, false));
        foreach (var (queue, exchange, key) in QueueNames.Retired)
        {
            await (await channel.OpenAsync(cancellationToken)).QueueUnbindAsync(queue, exchange, key, cancellationToken: cancellationToken);
        }
    }

    private async Task<RabbitConnection> OpenAsync(CancellationToken cancellationToken)
    {
        await connection.OpenAsync(cancellationToken);
        return connection;
    }

    private void Report(string? trouble)
    {
        if (trouble is not null && trouble != Trouble)
        {
            Log.Wrong(logger, trouble);
        }
        else if (trouble is null && Trouble is not (null or NotVerified))
        {
            Log.Right(logger);
        }

        Trouble = trouble;
    }

    private static partial class Log
    {
        [LoggerMessage(EventIds.TopologyDeclared, LogLevel.Information, "Exchanges and queues are declared")]
        public static partial void Declared(ILogger logger);

        [LoggerMessage(
            EventIds.TopologyLost,
            LogLevel.Warning,
            "The broker lost {Part}; it is declared again. The messages in it are lost; "
                + "their jobs are dispatched again at their deadline"
        )]
        public static partial void Lost(ILogger logger, string part);

        [LoggerMessage(EventIds.TopologyWrong, LogLevel.Error, "The broker's topology is wrong, and the server is not ready: {Trouble}")]
        public static partial void Wrong(ILogger logger, string trouble);

        [LoggerMessage(EventIds.TopologyRight, LogLevel.Information, "The broker's topology is correct again")]
        public static partial void Right(ILogger logger);
    }
}

/// <summary>The numbers of messages without a route.</summary>
/// <param name="Waiting">Messages in <c>dispatcher.unrouted</c>, which the server reads.</param>
/// <param name="Undelivered">Copies of dead letters that no queue took. They are published again at each start and every hour.</param>
internal sealed record UnroutedCount(long Waiting, long Undelivered);

/// <summary>What a queue holds.</summary>
/// <param name="Messages">Messages that are ready for delivery.</param>
/// <param name="Consumers">0 for a queue of a pool: no worker is connected.</param>
internal sealed record QueueLoad(long Messages, long Consumers);
