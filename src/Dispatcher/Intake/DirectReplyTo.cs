namespace Dispatcher.Intake;

/// <summary>
/// The address that RabbitMQ (3.10 and later) writes into a message whose producer asks for a direct reply: the prefix, the channel of the
/// producer and a random key. The broker decodes the address when it is published to, and closes the publishing connection when it cannot.
/// </summary>
internal static class DirectReplyTo
{
    private const string Prefix = "amq.rabbitmq.reply-to.";
    private const string NodePrefix = "reply@";
    private const int KeyBytes = 16;

    /// <summary>Id, serial and creation of an Erlang process, four bytes each.</summary>
    private const int ProcessBytes = 12;

    /// <summary>The broker writes at most nine digits. It may not be able to decode a larger number.</summary>
    private const int MaxDigits = 9;

    /// <summary>Whether the address has the form that the broker writes. The node that it names may have stopped since.</summary>
    public static bool IsValid(string replyTo) =>
        replyTo.StartsWith(Prefix, StringComparison.Ordinal)
        && replyTo[Prefix.Length..].Split('.') is [var process, var key]
        && Decoded(key) is { Length: KeyBytes }
        && Decoded(process) is { } bytes
        && IsProcess(bytes);

    /// <summary>External term format: version, NEW_PID_EXT, ATOM_UTF8_EXT and the length of the node name in two bytes.</summary>
    private static bool IsProcess(ReadOnlySpan<byte> bytes) =>
        bytes is [131, 88, 118, 0, var length, .. var rest] && rest.Length == length + ProcessBytes && IsNode(rest[..length]);

    /// <summary>The broker replaces the name of the node by a hash of it.</summary>
    private static bool IsNode(ReadOnlySpan<byte> name) =>
        name.StartsWith("reply@"u8)
        && name[NodePrefix.Length..] is { Length: > 0 and <= MaxDigits } digits
        && !digits.ContainsAnyExceptInRange((byte)'0', (byte)'9');

    /// <summary>Null: it is not canonical base64.</summary>
    private static byte[]? Decoded(string base64)
    {
        var bytes = new byte[base64.Length];
        return Convert.TryFromBase64String(base64, bytes, out var length) && Convert.ToBase64String(bytes, 0, length) == base64
            ? bytes[..length]
            : null;
    }
}
