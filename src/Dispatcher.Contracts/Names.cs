namespace Dispatcher.Contracts;

/// <summary>The exchanges a client or worker may meet. The server declares them; nobody else needs configure rights.</summary>
public static class Exchanges
{
    /// <summary>Topic exchange for job submissions. The routing key is the job's topic, for example <c>job.exec.shell</c>.</summary>
    public const string Jobs = "dispatcher.jobs";

    /// <summary>Direct exchange for work messages. The routing key is the pool.</summary>
    public const string Work = "dispatcher.work";

    /// <summary>
    /// Fanout exchange for <see cref="OutcomeBatch"/>, persistent and confirmed; the routing key is not read.
    /// It is the only thing that a worker needs to write to.
    /// </summary>
    public const string Outcomes = "dispatcher.outcomes";

    /// <summary>Topic exchange for job events. The routing key is <c>&lt;event&gt;.&lt;principal&gt;.&lt;topic&gt;</c>, for example <c>succeeded.billing.job.repo.read</c>.</summary>
    public const string Events = "dispatcher.events";

    /// <summary>Topic exchange for copies of dead letters. The routing key is <c>&lt;owner&gt;.&lt;topic&gt;</c>. The store holds the original.</summary>
    public const string DeadLetter = "dispatcher.dead-letter";
}

/// <summary>The queues a worker may meet.</summary>
public static class Queues
{
    /// <summary>The queue of one pool's work messages, for example <c>dispatcher.work.shell</c>.</summary>
    public static string Work(string pool) => "dispatcher.work." + pool;
}

/// <summary>The AMQP headers that carry meaning.</summary>
public static class Headers
{
    /// <summary>On a work message: the permit, a compact JWS (RFC 7515, HS256) whose claims are <see cref="PermitClaims"/>.</summary>
    public const string Permit = "dispatcher-permit";

    /// <summary>W3C trace context (<c>traceparent</c>), passed from the submission to the work message.</summary>
    public const string TraceParent = "traceparent";

    /// <summary>
    /// On answers, events and copies of dead letters: the type of the body as MassTransit names it, for example
    /// <c>urn:message:Dispatcher.Contracts:JobDecision</c>. A MassTransit endpoint that reads raw JSON chooses the consumer by it.
    /// </summary>
    public const string MassTransitType = "MT-MessageType";
}

/// <summary>The values of the AMQP <c>type</c> property (basic.properties) on what Dispatcher sends.</summary>
public static class MessageTypes
{
    /// <summary>The body is a <see cref="JobDecision"/>: the answer to a submission that could be read.</summary>
    public const string Decision = "decision";

    /// <summary>The body is a <see cref="Refused"/>: the answer to a submission that is malformed or in conflict.</summary>
    public const string Refused = "refused";

    /// <summary>The body is a <see cref="JobEvent"/>.</summary>
    public const string Event = "event";

    /// <summary>The body is a <see cref="WorkMessage"/>.</summary>
    public const string Work = "work";

    /// <summary>The body is a <see cref="DeadLetterCopy"/>, with references only: the store holds what was submitted.</summary>
    public const string DeadLetter = "dead-letter";

    /// <summary>The value of <see cref="Headers.MassTransitType"/>. Null: messages of this type do not carry it.</summary>
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
