namespace Dispatcher.Contracts;

/// <summary>The exchanges that clients and workers use. The server declares them; clients need no configure rights.</summary>
public static class Exchanges
{
    /// <summary>Topic exchange for submissions. The routing key is the topic of the job, for example <c>job.exec.shell</c>.</summary>
    public const string Jobs = "dispatcher.jobs";

    /// <summary>Direct exchange for work messages. The routing key is the pool.</summary>
    public const string Work = "dispatcher.work";

    /// <summary>
    /// Fanout exchange for <see cref="OutcomeBatch"/>. Publish persistent and with confirms; the routing key is
    /// ignored. A worker writes to no other exchange.
    /// </summary>
    public const string Outcomes = "dispatcher.outcomes";

    /// <summary>
    /// Topic exchange for job events. The routing key is <c>&lt;event&gt;.&lt;principal&gt;.&lt;topic&gt;</c>, for
    /// example <c>succeeded.billing.job.repo.read</c>.
    /// </summary>
    public const string Events = "dispatcher.events";

    /// <summary>
    /// Topic exchange for copies of dead letters. The routing key is <c>&lt;owner&gt;.&lt;topic&gt;</c>. The store
    /// keeps the original.
    /// </summary>
    public const string DeadLetter = "dispatcher.dead-letter";
}

/// <summary>The queues that workers read.</summary>
public static class Queues
{
    /// <summary>The queue of a pool's work messages, for example <c>dispatcher.work.shell</c>.</summary>
    public static string Work(string pool) => "dispatcher.work." + pool;
}

/// <summary>The AMQP headers that clients and workers read.</summary>
public static class Headers
{
    /// <summary>Of a work message: the permit, a compact JWS (RFC 7515, HS256) with the claims <see cref="PermitClaims"/>.</summary>
    public const string Permit = "dispatcher-permit";

    /// <summary>
    /// W3C trace context. Of a submission: the producer's span. Of a work message: the span of the dispatch if the server traces, else the
    /// value of the submission. An invalid value is ignored.
    /// </summary>
    public const string TraceParent = "traceparent";

    /// <summary>
    /// Of answers, events and copies of dead letters: the type of the body as MassTransit names it, for example
    /// <c>urn:message:Dispatcher.Contracts:JobDecision</c>. A MassTransit endpoint that reads raw JSON selects the
    /// consumer by it.
    /// </summary>
    public const string MassTransitType = "MT-MessageType";
}

/// <summary>The values of the AMQP property <c>type</c> of messages from the server.</summary>
public static class MessageTypes
{
    /// <summary>The body is a <see cref="JobDecision"/>.</summary>
    public const string Decision = "decision";

    /// <summary>The body is a <see cref="Contracts.Refused"/>.</summary>
    public const string Refused = "refused";

    /// <summary>The body is a <see cref="JobEvent"/>.</summary>
    public const string Event = "event";

    /// <summary>The body is a <see cref="WorkMessage"/>.</summary>
    public const string Work = "work";

    /// <summary>The body is a <see cref="DeadLetterCopy"/>.</summary>
    public const string DeadLetter = "dead-letter";

    /// <summary>
    /// The value of the header <see cref="Headers.MassTransitType"/>. Null: messages of this type do not have the
    /// header.
    /// </summary>
    public static string? MassTransitUrn(string type) =>
        type switch
        {
            Decision => Urn(nameof(JobDecision)),
            Refused => Urn(nameof(Contracts.Refused)),
            Event => Urn(nameof(JobEvent)),
            DeadLetter => Urn(nameof(DeadLetterCopy)),
            _ => null,
        };

    private static string Urn(string name) => $"urn:message:{typeof(MessageTypes).Namespace}:{name}";
}
