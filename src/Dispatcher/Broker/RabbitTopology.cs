using Dispatcher.Base;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Dispatcher.Broker;

/// <summary>
/// Declares every exchange, queue and binding: at start, for each endpoint that connects again (<see cref="TopologyCheck"/>), for the pools
/// of a new bundle, and every few seconds. What somebody deleted is there again, and the log names it. The server is not ready while a part
/// is missing or has other arguments.
/// </summary>
/// <remarks>
/// A binding cannot be looked up over AMQP: it is declared again each time. The connection is its own, because the broker stops reading
/// from a connection that publishes while it has a memory or disk alarm.
/// </remarks>
internal sealed partial class RabbitTopology(
    RabbitConnection connection,
    Func<IEnumerable<string>> poolsInForce,
    DispatcherMetrics metrics,
    TimeProvider time,
    ILogger<RabbitTopology> logger
) : Loop(Period, time, logger)
{
    /// <summary>The key of its connection in the container.</summary>
    public const string Connection = "topology";

    private const ushort AccessRefused = 403;
    private const ushort NotFound = 404;
    private const ushort ResourceLocked = 405;
    private const ushort PreconditionFailed = 406;
    private const int MostNamed = 3;
    private const string NotVerified = "the topology was not verified yet";

    /// <summary>How soon the queues of a new bundle's pools are declared.</summary>
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    /// <summary>How long a lost binding stays lost. About 60 round trips.</summary>
    private static readonly TimeSpan VerifiedFor = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim _one = new(1, 1);

    /// <summary>Parts that the broker had at an earlier look: one that is missing now was deleted.</summary>
    private readonly HashSet<string> _known = [];
    private volatile IReadOnlyCollection<string> _pools = [];
    private long _beganAt;

    /// <summary>What is wrong with the topology, or why that is not known. Null: nothing.</summary>
    public string? Trouble { get; private set; } = NotVerified;

    /// <summary>The pools of the bundle in force whose queue is not declared yet.</summary>
    public IReadOnlyList<string> PoolsWithoutQueue => [.. poolsInForce().Except(_pools).Order(StringComparer.Ordinal)];

    /// <summary>How many messages no route led away from, as last seen.</summary>
    public UnroutedCount Unrouted { get; private set; } = new(0, 0);

    /// <summary>What is there with other arguments, or may not be declared, stops the start with a clear error.</summary>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await VerifyAsync(cancellationToken);
        if (Trouble is { } trouble)
        {
            throw new ExitException(
                ExitCode.WrongUse,
                $"The broker's topology is wrong: {trouble}",
                "Delete what has other arguments when it is empty, give the broker user the rights in ops/README.md, "
                    + "or give Dispatcher a virtual host of its own."
            );
        }

        await UnbindRetiredAsync(cancellationToken);
        Log.Declared(logger);
        await base.StartAsync(cancellationToken);
    }

    public override async Task OnceAsync(CancellationToken cancellationToken)
    {
        // What is wrong is looked at in each round: one that returned without a look would count as success.
        if (Trouble is not null || Time.GetElapsedTime(Interlocked.Read(ref _beganAt)) >= VerifiedFor || PoolsWithoutQueue.Count > 0)
        {
            await VerifyAsync(cancellationToken);
        }
    }

    /// <summary>Verifies all parts. Callers at the same time share a verification that began after they called.</summary>
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
        catch (Exception away) when (!cancellationToken.IsCancellationRequested)
        {
            Become($"the broker cannot be reached: {away.GetBaseException().Message}");
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
            foreach (var part in TopologyPart.OfServer)
            {
                wrong.AddRange(await VerifyAsync(channel, part, cancellationToken));
            }

            var declared = new List<string>();
            foreach (var pool in poolsInForce().ToList())
            {
                var ofPool = await VerifyAsync(channel, TopologyPart.OfPool(pool), cancellationToken);
                wrong.AddRange(ofPool);
                declared.AddRange(ofPool.Count == 0 ? [pool] : []);
            }

            _pools = declared;
            var more = wrong.Count > MostNamed ? $"; and {wrong.Count - MostNamed} more" : "";
            Become(wrong.Count == 0 ? null : string.Join("; ", wrong.Take(MostNamed)) + more);
            await CountAsync(channel, cancellationToken);
        }
    }

    /// <summary>What is wrong with one part; empty: nothing, or nothing any more.</summary>
    private async Task<IReadOnlyList<string>> VerifyAsync(RabbitChannel channel, TopologyPart part, CancellationToken cancellationToken)
    {
        try
        {
            if (await IsMissingAsync(channel, part, cancellationToken) && _known.Contains(part.Name))
            {
                Log.Lost(logger, part.Name);
            }

            await part.DeclareAsync(await channel.OpenAsync(cancellationToken), cancellationToken);
            _known.Add(part.Name);
            return [];
        }
        catch (OperationInterruptedException refused)
            when (refused.ShutdownReason is { ReplyCode: AccessRefused or NotFound or ResourceLocked or PreconditionFailed } reason)
        {
            // Any other code closes the connection and says nothing of the part, for example that the virtual host does not exist.
            return
            [
                reason.ReplyCode == PreconditionFailed
                    ? $"{part.Name} has other arguments: {reason.ReplyText}"
                    : $"{part.Name} cannot be declared: {reason.ReplyText}",
            ];
        }
    }

    private static async Task<bool> IsMissingAsync(RabbitChannel channel, TopologyPart part, CancellationToken cancellationToken)
    {
        try
        {
            await part.LookAsync(await channel.OpenAsync(cancellationToken), cancellationToken);
            return false;
        }
        catch (OperationInterruptedException missing) when (missing.ShutdownReason?.ReplyCode == NotFound)
        {
            return true;
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
            // What is wrong with the queues is known from their verification.
        }
    }

    /// <summary>After the new bindings: a message in between reaches both queues, never none.</summary>
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

    private void Become(string? trouble)
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
            "The broker lost {Part}, and it is declared again. Messages that were in it are lost; "
                + "jobs that wait for them are handed out again at their deadline"
        )]
        public static partial void Lost(ILogger logger, string part);

        [LoggerMessage(EventIds.TopologyWrong, LogLevel.Error, "The broker's topology is wrong, and the server is not ready: {Trouble}")]
        public static partial void Wrong(ILogger logger, string trouble);

        [LoggerMessage(EventIds.TopologyRight, LogLevel.Information, "The broker's topology is as declared")]
        public static partial void Right(ILogger logger);
    }
}

/// <summary>Messages without a route.</summary>
/// <param name="Waiting">In <c>dispatcher.unrouted</c>: the server takes them in as soon as it reads them.</param>
/// <param name="Undelivered">Copies of dead letters that no owner has a queue for. They are offered again at each start and every hour.</param>
internal sealed record UnroutedCount(long Waiting, long Undelivered);
