using Dispatcher.Contracts;

namespace Dispatcher.Worker;

/// <summary>
/// The connection of a worker to the dispatcher. An implementation registered in the container replaces RabbitMQ and HTTP
/// (<c>RabbitMqWorkerTransport</c>) for every pool of the process.
/// A method that cannot reach the dispatcher throws; the worker waits and calls it again. All methods may be called concurrently.
/// </summary>
public interface IWorkerTransport : IAsyncDisposable
{
    /// <summary>
    /// True: no other worker can take what this one returns, so it keeps deliveries until it can start them. Default false.
    /// </summary>
    bool IsAlone => false;

    /// <summary>
    /// Checks whether the worker will be able to send its outcomes. Called once, before the worker registers and takes work. Does nothing
    /// by default.
    /// </summary>
    /// <exception cref="WorkerNotAllowedException">A right is missing. The worker ends, because a retry cannot help.</exception>
    Task CheckAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>
    /// Hands over the pool's work messages until cancelled, then returns normally. Survives a lost connection: the broker redelivers what
    /// was not acked. After it has returned, it hands over nothing more, <see cref="Delivery.AckAsync"/> and
    /// <see cref="Delivery.ReturnAsync"/> of earlier deliveries must still work, and it may be called again.
    /// </summary>
    /// <param name="pool">The pool, for example <c>shell</c>.</param>
    /// <param name="prefetch">Maximum number of deliveries that are neither acked nor returned.</param>
    /// <param name="onDelivery">Takes one delivery; returns at once and never throws.</param>
    /// <param name="cancellationToken">Ends the consuming.</param>
    /// <exception cref="WorkerNotAllowedException">The worker may not read the pool's queue. It ends.</exception>
    Task ConsumeAsync(string pool, int prefetch, Func<Delivery, Task> onDelivery, CancellationToken cancellationToken);

    /// <summary>
    /// Claims attempts: one answer for each permit, in order. A permit is granted to one <see cref="ClaimRequest.ClaimId"/> only. The same
    /// request again gets the same run. A claim under another id is answered <see cref="ClaimStatus.Taken"/>, also for the same worker,
    /// because a redelivered message is claimed again.
    /// </summary>
    Task<ClaimAnswer> ClaimAsync(ClaimRequest request, CancellationToken cancellationToken);

    /// <summary>Reports that runs are alive. The answer names the runs that must stop.</summary>
    /// <exception cref="WorkerNotAllowedException">
    /// The key's subject is not the broker user, so the dispatcher would accept no outcome. The worker ends.
    /// </exception>
    Task<HeartbeatAnswer> HeartbeatAsync(HeartbeatRequest request, CancellationToken cancellationToken);

    /// <summary>Sends outcomes; returns when they are stored durably. After an exception the worker sends the same batch again.</summary>
    Task SendAsync(OutcomeBatch batch, CancellationToken cancellationToken);
}

/// <summary>One delivered work message. The worker answers it once: it acks it or returns it.</summary>
public sealed class Delivery
{
    /// <summary>The body, byte for byte; the permit holds its hash. Must stay valid until the delivery is answered.</summary>
    public required ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>Header <see cref="Headers.Permit"/>. Null: missing, and the worker drops the message.</summary>
    public required string? Permit { get; init; }

    /// <summary>Header <see cref="Headers.TraceParent"/>. Null: the run starts a new trace.</summary>
    public string? TraceParent { get; init; }

    /// <summary>
    /// Removes the message from the queue. Does nothing when its connection is closed: the message is redelivered, and its claim is
    /// refused.
    /// </summary>
    public required Func<Task> AckAsync { get; init; }

    /// <summary>Returns the message to the queue for any worker. Does nothing when its connection is closed.</summary>
    public required Func<Task> ReturnAsync { get; init; }
}
