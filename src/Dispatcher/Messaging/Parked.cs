using System.Text;
using Dispatcher.Approvals;
using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Intake;
using Dispatcher.Recovering;
using Dispatcher.Topology;
using MassTransit;
using Queues = Dispatcher.Contracts.Queues;

namespace Dispatcher.Messaging;

/// <summary>
/// Runs again, one at a time, what came back to its queue too often. Whatever was delivered together with a message that ends the process came back as often as that one, and
/// ends well here. What comes back from here as well is poison: <see cref="PoisonConsumer"/>.
/// </summary>
internal sealed partial class ParkedConsumer(
    IntakePolicyFilter intakePolicy, IntakeConsumer intake, DispatchPolicyFilter dispatchPolicy, DispatchConsumer dispatch, OutcomeConsumer outcomes, ApprovalWatch watch,
    ILogger<ParkedConsumer> logger) : IConsumer<RawMessage>
{
    public async Task Consume(ConsumeContext<RawMessage> context)
    {
        var (queue, _) = Origin.Of(context);
        Log.Again(logger, queue);
        await (queue switch
        {
            QueueNames.Intake => intakePolicy.Send(context, Pipe.ExecuteAsync<ConsumeContext<RawMessage>>(intake.Consume)),
            QueueNames.Dispatch => dispatchPolicy.Send(context, Pipe.ExecuteAsync<ConsumeContext<RawMessage>>(dispatch.Consume)),
            Queues.Outcomes => outcomes.Consume(context),
            QueueNames.ApprovalWatch => watch.Consume(context),
            _ => throw new InvalidOperationException($"A parked message says it comes from \"{queue}\", which is no queue of ours."),
        });
    }

    private static partial class Log
    {
        [LoggerMessage(EventIds.ParkedAgain, LogLevel.Warning, "A message came back to {Queue} too often; it is run again alone")]
        public static partial void Again(ILogger logger, string queue);
    }
}

/// <summary>Keeps what ended its reader again and again, alone too, as a dead letter. Nothing in here looks into it.</summary>
internal sealed class PoisonConsumer(Refusals refusals) : IConsumer<RawMessage>
{
    public Task Consume(ConsumeContext<RawMessage> context)
    {
        var facts = DeliveryFacts.Of(context);
        var (queue, routingKey) = Origin.First(context);
        var error = new InputError
        {
            Code = Refusals.Poison,
            Where = queue,
            Message = "Whoever read the message ended or failed, each time it was delivered, at last with no other of its queue beside it.",
            Fix = "Find the fault in the log of the servers at that time; the bytes are kept here. Hand it in again when it is mended.",
        };
        var source = new SubmissionSource { Door = "amqp", Principal = facts.UserId, RoutingKey = routingKey, MessageId = facts.MessageId, Cut = context.Message.Cut };
        return refusals.RefuseAsync(context.Message.Body, source, [error], context.CancellationToken, Refusals.Poison);
    }
}

/// <summary>Where the broker took a message from that it set aside: the first line of its <c>x-death</c>, which it writes itself.</summary>
internal static class Origin
{
    private static readonly (string Queue, string RoutingKey) Nowhere = ("", "");

    /// <summary>Queue and routing key before it was set aside the last time. Empty: it was not.</summary>
    public static (string Queue, string RoutingKey) Of(ConsumeContext context) => Deaths(context).FirstOrDefault(Nowhere);

    /// <summary>The same of the queue it came from before it was parked.</summary>
    public static (string Queue, string RoutingKey) First(ConsumeContext context) => Deaths(context).FirstOrDefault(death => death.Queue != QueueNames.Parked, Nowhere);

    private static IEnumerable<(string Queue, string RoutingKey)> Deaths(ConsumeContext context) =>
        context.TryGetPayload<RabbitMqBasicConsumeContext>(out var delivery) && delivery.Properties.Headers?.TryGetValue("x-death", out var deaths) == true && deaths is IList<object> lines
            ? lines.OfType<IDictionary<string, object>>().Select(line => (Text(line, "queue"), line.TryGetValue("routing-keys", out var keys) && keys is IList<object> { Count: > 0 } some ? Text(some[0]) : ""))
            : [];

    private static string Text(IDictionary<string, object> line, string name) => line.TryGetValue(name, out var value) ? Text(value) : "";

    private static string Text(object value) => value is byte[] bytes ? Encoding.UTF8.GetString(bytes) : value as string ?? "";
}
