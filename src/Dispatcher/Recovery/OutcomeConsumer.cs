using Dispatcher.Base;
using Dispatcher.Broker;
using Dispatcher.Contracts;
using Dispatcher.Intake;
using Dispatcher.Storage;
using MassTransit;

namespace Dispatcher.Recovery;

/// <summary>
/// Takes the outcomes that workers send, many in one message, and handles each separately. An unreadable outcome ends the run that it names
/// with a terminal fault; one that names no run is kept as malformed input.
/// </summary>
internal sealed partial class OutcomeConsumer(
    JobRecovery recovery,
    Refusals refusals,
    NewerMessages newer,
    IStore store,
    TimeProvider time,
    ILogger<OutcomeConsumer> logger
) : IConsumer<RawMessage>
{
    public async Task Consume(ConsumeContext<RawMessage> context)
    {
        var facts = DeliveryFacts.Of(context).Proven(newer.Server);
        var errors = new List<InputError>();
        var reading = context.Message.Cut is { } cut ? TooLarge(cut, errors) : Read(context.Message.Body, facts, time.GetUtcNow(), errors);

        if (errors is [{ Code: NewerMessages.Code }])
        {
            // These runs have ended. Without a longer lease the sweep would end them as lost before a newer server reads their outcomes.
            var runs = reading.Outcomes.Select(outcome => new Run { JobId = outcome.JobId, RunId = outcome.RunId });
            await store.ExtendLeasesAsync([.. runs.DistinctBy(run => run.RunId)], facts.UserId!, context.CancellationToken);
            if (await newer.DelayAsync(QueueNames.Outcomes, context, errors))
            {
                return;
            }
        }

        // Record before refusing: while the store or the bundle is unavailable the message is redelivered, and a refusal would be repeated.
        if (reading.Outcomes.Count > 0)
        {
            await recovery.RecordAsync(reading.Outcomes, facts.UserId!, context.CancellationToken);
        }

        var source = new SubmissionSource
        {
            Channel = "amqp",
            Principal = facts.UserId,
            RoutingKey = Exchanges.Outcomes,
            MessageId = facts.MessageId,
            Cut = context.Message.Cut,
        };
        if (errors.Count > 0)
        {
            await refusals.RefuseAsync(context.Message.Body, source, errors, context.CancellationToken);
        }

        // One dead letter for all of them, because one message may hold up to 256.
        if (reading.Refused.Count > 0)
        {
            var (first, all) = (reading.Refused[0].Errors[0], reading.Refused.SelectMany(refused => refused.Errors).Take(InputErrors.Max));
            Log.Unreadable(logger, reading.Refused.Count, facts.UserId!, first.Where, first.Message);
            await refusals.RefuseAsync(Together(reading.Refused), source, [.. all], context.CancellationToken);
        }
    }

    private static OutcomeReading TooLarge(CutBody cut, List<InputError> errors)
    {
        errors.Report(
            "body_too_large",
            "body",
            $"The body has {cut.Length:N0} bytes; at most {OutcomeReader.MaxBodyBytes:N0} are allowed.",
            "Send fewer outcomes in one message."
        );
        return new OutcomeReading([], []);
    }

    private static byte[] Together(IReadOnlyList<RefusedOutcome> refused)
    {
        using var array = new MemoryStream();
        foreach (var (i, outcome) in refused.Index())
        {
            array.Write(i == 0 ? "["u8 : ","u8);
            array.Write(outcome.Body.Span);
        }

        array.Write("]"u8);
        return array.ToArray();
    }

    internal static OutcomeReading Read(ReadOnlyMemory<byte> body, DeliveryFacts facts, DateTimeOffset now, List<InputError> errors)
    {
        if (facts.UserId is not null)
        {
            return OutcomeReader.Read(body, now, errors);
        }

        errors.Report(
            "no_principal",
            "amqp:user_id",
            "The message has no authenticated sender.",
            "Set the AMQP property user_id to the broker user, which must be the subject of the key that claimed."
        );
        return new OutcomeReading([], []);
    }

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.OutcomeUnreadable,
            LogLevel.Warning,
            "Refused {Count} outcome(s) of {Sender} that name no run; the other outcomes of the message are recorded. {Where}: {Why}"
        )]
        public static partial void Unreadable(ILogger logger, int count, string sender, string where, string why);
    }
}
