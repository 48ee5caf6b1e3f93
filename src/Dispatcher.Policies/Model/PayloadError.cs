namespace Dispatcher.Policies.Model;

/// <summary>One way in which a payload does not fit its topic's schema. Says where, never the content of a text: errors reach logs and timelines, and payloads must not.</summary>
public sealed record PayloadError
{
    /// <summary>Where: a JSON pointer (RFC 6901) into the payload, for example <c>/command/0</c>, cut to 256 characters. Empty: the payload as a whole.</summary>
    public required string Path { get; init; }

    /// <summary>What was seen, and what is allowed: <c>seen: a number; allowed: a text.</c></summary>
    public required string Message { get; init; }

    /// <summary>What to do about it.</summary>
    public required string Fix { get; init; }

    /// <summary>The error on one line: <c>/command/0: seen: … Fix: …</c></summary>
    public override string ToString() => $"{(Path.Length == 0 ? "payload" : Path)}: {Message} Fix: {Fix}";
}
