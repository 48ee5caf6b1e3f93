using Dispatcher.Contracts;

namespace Dispatcher.Worker;

/// <summary>
/// How a worker meets the dispatcher. Register one in the container to replace RabbitMQ and HTTP (<c>RabbitMqWorkerTransport</c>) for every pool of the process.
/// A method that cannot reach the other side throws; the worker waits and calls again. All methods may be called at the same time.
/// </summary>
public interface IWorkerTransport : IAsyncDisposable
{
    /// <summary>No other worker can take what this one returns: then it keeps what it cannot start yet. Default false.</summary>
    bool IsAlone => false;

    /// <summary>
    /// Called once, before the worker is made known and takes work: whether it will be able to send its outcomes. Does nothing by default.
    /// </summary>
    /// <exception cref="WorkerNotAllowedException">It never will, unless somebody gives it a right. The worker ends.</exception>
    Task CheckAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>
    /// Hands over the pool's work messages until cancelled, then returns normally. Outlives a lost connection: what was not acked comes again.
    /// After it has returned, nothing more is handed over, <see cref="Delivery.AckAsync"/> and <see cref="Delivery.ReturnAsync"/> of earlier deliveries must still work,
    /// and it may be called again.
    /// </summary>
    /// <param name="pool">The pool, for example <c>shell</c>.</param>
    /// <param name="prefetch">How many deliveries may be out, neither acked nor returned.</param>
    /// <param name="onDelivery">Takes one delivery; returns at once and never throws.</param>
    /// <param name="cancellationToken">Ends the consuming.</param>
    /// <exception cref="WorkerNotAllowedException">It may not read the pool's queue. The worker ends.</exception>
    Task ConsumeAsync(string pool, int prefetch, Func<Delivery, Task> onDelivery, CancellationToken cancellationToken);

    /// <summary>
    /// Claims attempts: one answer for each permit, in order. A permit is granted to one <see cref="ClaimRequest.ClaimId"/>, ever: the same request again gets the
    /// same run; a claim under another id, also by the same worker, is answered <see cref="ClaimStatus.Taken"/>, because a redelivered message is claimed again.
    /// </summary>
    Task<ClaimAnswer> ClaimAsync(ClaimRequest request, CancellationToken cancellationToken);

    /// <summary>Tells that runs are alive, and learns which must stop.</summary>
    /// <exception cref="WorkerNotAllowedException">The key is not that of the broker user, so that no outcome would be accepted. The worker ends.</exception>
    Task<HeartbeatAnswer> HeartbeatAsync(HeartbeatRequest request, CancellationToken cancellationToken);

    /// <summary>Sends outcomes; returns when the other side has them for good. After an exception the same batch is sent again.</summary>
    Task SendAsync(OutcomeBatch batch, CancellationToken cancellationToken);
}

/// <summary>One work message as delivered. The worker answers it once: acked or returned.</summary>
public sealed class Delivery
{
    /// <summary>The body, byte for byte; the permit's hash is over it. Must stay valid until the delivery is answered.</summary>
    public required ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>Header <see cref="Headers.Permit"/>. Null: it was missing; the worker drops the message.</summary>
    public required string? Permit { get; init; }

    /// <summary>Header <see cref="Headers.TraceParent"/>. Null: the run starts a trace of its own.</summary>
    public string? TraceParent { get; init; }

    /// <summary>Takes the message off the queue. Does nothing when the connection it came by is gone: it comes again, and its claim is refused.</summary>
    public required Func<Task> AckAsync { get; init; }

    /// <summary>Gives the message back to the queue for any worker. Does nothing when the connection it came by is gone.</summary>
    public required Func<Task> ReturnAsync { get; init; }
}
