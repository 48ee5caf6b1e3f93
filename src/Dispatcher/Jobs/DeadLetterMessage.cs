using System.Text.Json;
using Dispatcher.Contracts;

namespace Dispatcher.Jobs;

/// <summary>The message that announces a dead letter to its owner. It names the dead letter and has neither payload nor body.</summary>
internal static class DeadLetterMessage
{
    /// <param name="letter">The dead letter.</param>
    /// <param name="messageId">Id of the message.</param>
    /// <param name="at">When the dead letter was made.</param>
    /// <param name="errorCodes">Why a message was refused. Null: the dead letter is of a job.</param>
    public static OutboxMessage Of(DeadLetter letter, Guid messageId, DateTimeOffset at, IReadOnlyList<string>? errorCodes = null) =>
        new()
        {
            MessageId = messageId,
            Exchange = Exchanges.DeadLetter,
            RoutingKey = $"{letter.Owner}.{letter.Topic}",
            Mandatory = true,
            Type = MessageTypes.DeadLetter,
            Body = JsonSerializer.SerializeToUtf8Bytes(
                new DeadLetterCopy
                {
                    DeadLetterId = letter.DeadLetterId,
                    JobId = letter.JobId,
                    Topic = letter.Topic,
                    Principal = letter.Principal,
                    Owner = letter.Owner,
                    FaultClass = letter.FaultClass,
                    Fault = letter.Fault,
                    ErrorCodes = errorCodes,
                    Attempt = letter.Attempt,
                    At = at,
                },
                WireJson.Default.DeadLetterCopy
            ),
        };
}
