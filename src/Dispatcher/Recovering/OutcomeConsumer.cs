using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.Intake;
using Dispatcher.Messaging;
using MassTransit;

namespace Dispatcher.Recovering;

/// <summary>Takes the outcomes that workers send, many in one message. A body that cannot be read is kept like any other malformed input.</summary>
internal sealed class OutcomeConsumer(JobRecovery recovery, Refusals refusals) : IConsumer<RawMessage>
{
    public async Task Consume(ConsumeContext<RawMessage> context)
    {
        var facts = DeliveryFacts.Of(context);
        var errors = new List<InputError>();
        var batch = context.Message.Cut is { } cut ? TooLarge(cut, errors) : Read(context.Message.Body, facts, errors);
        if (batch is null)
        {
            var source = new SubmissionSource { Door = "amqp", Principal = facts.UserId, RoutingKey = facts.RoutingKey, MessageId = facts.MessageId, Cut = context.Message.Cut };
            await refusals.RefuseAsync(context.Message.Body, source, errors, context.CancellationToken);
            return;
        }

        await recovery.RecordAsync(batch.Outcomes, facts.UserId!, context.CancellationToken);
    }

    private static OutcomeBatch? TooLarge(CutBody cut, List<InputError> errors)
    {
        errors.Report("body_too_large", "body", $"The body has {cut.Length:N0} bytes; at most {RawMessage.LargestBody:N0} are read.", "Send fewer outcomes in one message.");
        return null;
    }

    internal static OutcomeBatch? Read(ReadOnlyMemory<byte> body, DeliveryFacts facts, List<InputError> errors)
    {
        if (facts.UserId is null)
        {
            errors.Report(
                "no_principal", "amqp:user_id", "The message does not say who sends it.", "Set the AMQP property user_id to the broker user, which must be the subject of the key that claimed.");
            return null;
        }

        // A result may hold any text and is kept as bytes; refusing it would take its neighbours' outcomes with it.
        using var strict = StrictJson.Parse(body, errors, nulAllowed: true);
        if (strict is null || errors.Count > 0)
        {
            return null;
        }

        try
        {
            var batch = JsonSerializer.Deserialize(body.Span, WireJson.Default.OutcomeBatch);
            return batch is not null && !batch.Outcomes.Contains(null!) ? batch : throw new JsonException("There is a null where an outcome must be.");
        }
        catch (JsonException reason)
        {
            errors.Report("bad_outcome", reason.Path ?? "body", reason.Message, "Send an outcome batch as the contracts describe it.");
            return null;
        }
    }
}
