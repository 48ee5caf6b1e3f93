namespace Dispatcher.Policies.Model;

/// <summary>
/// One error of a payload against its topic's schema. It names the place and never quotes text of the payload, because errors reach logs
/// and timelines.
/// </summary>
public sealed record PayloadError
{
    /// <summary>
    /// A JSON pointer (RFC 6901) into the payload, for example <c>/command/0</c>, cut to 256 characters. Empty: the whole payload.
    /// </summary>
    public required string Path { get; init; }

    /// <summary>The value found and the allowed values: <c>seen: a number; allowed: a text.</c></summary>
    public required string Message { get; init; }

    /// <summary>How to fix it.</summary>
    public required string Fix { get; init; }

    /// <summary>The error on one line: <c>/command/0: seen: … Fix: …</c></summary>
    public override string ToString() => $"{(Path.Length == 0 ? "payload" : Path)}: {Message} Fix: {Fix}";
}
