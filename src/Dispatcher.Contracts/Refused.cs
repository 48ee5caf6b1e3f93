using System.Text.Json.Serialization;

namespace Dispatcher.Contracts;

/// <summary>
/// The answer to a submission that is malformed or in conflict, sent to <c>reply_to</c> (AMQP type
/// <see cref="MessageTypes.Refused"/>). Over HTTP the same errors are returned as problem+json (RFC 9457).
/// </summary>
public sealed record Refused
{
    /// <summary>Version of the message format: 1.</summary>
    [JsonPropertyName("v")]
    public int V { get; init; } = 1;

    /// <summary><c>malformed</c> or <c>conflict</c>.</summary>
    [JsonPropertyName("code")]
    public required string Code { get; init; }

    /// <summary>The dead letter that keeps the original bytes and the errors. Null: a conflict, of which nothing is kept.</summary>
    [JsonPropertyName("dead_letter_id")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Guid? DeadLetterId { get; init; }

    /// <summary>All errors that were found.</summary>
    [JsonPropertyName("errors")]
    public required IReadOnlyList<InputError> Errors { get; init; }
}

/// <summary>One error in an input: where it is, what was seen, what is allowed and how to fix it.</summary>
public sealed record InputError
{
    /// <summary>A stable code, for example <c>unknown_field</c>.</summary>
    [JsonPropertyName("code")]
    public required string Code { get; init; }

    /// <summary>
    /// Where the error is: a JSON pointer (RFC 6901) into the body, such as <c>/labels/env</c>, or <c>amqp:user_id</c>,
    /// <c>amqp:routing_key</c>, <c>body</c>.
    /// </summary>
    [JsonPropertyName("where")]
    public required string Where { get; init; }

    /// <summary>A description of the error, with the value that was seen (cut to 64 characters) and the values that are allowed.</summary>
    [JsonPropertyName("message")]
    public required string Message { get; init; }

    /// <summary>How to fix it.</summary>
    [JsonPropertyName("fix")]
    public required string Fix { get; init; }
}
