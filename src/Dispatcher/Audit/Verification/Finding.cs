using System.Text.Json.Serialization;

namespace Dispatcher.Audit.Verification;

/// <summary>How an entry of the history is bad.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Tampering>))]
internal enum Tampering
{
    /// <summary>A column of the entry, or of its seal, was changed after sealing.</summary>
    [JsonStringEnumMemberName("altered")]
    Altered,

    /// <summary>The entry was sealed and is missing.</summary>
    [JsonStringEnumMemberName("missing")]
    Missing,

    /// <summary>The entry was inserted after the entries around it were sealed.</summary>
    [JsonStringEnumMemberName("inserted")]
    Inserted,

    /// <summary>The entry is at a position where another one was sealed.</summary>
    [JsonStringEnumMemberName("reordered")]
    Reordered,

    /// <summary>The history ends before a signed checkpoint.</summary>
    [JsonStringEnumMemberName("truncated")]
    Truncated,

    /// <summary>The seals match each other but not a checkpoint: the history was sealed again.</summary>
    [JsonStringEnumMemberName("rewritten")]
    Rewritten,

    /// <summary>The key that a checkpoint names did not sign it.</summary>
    [JsonStringEnumMemberName("forged")]
    Forged,

    /// <summary>A checkpoint names a key whose public key was not given, so its signature was not checked.</summary>
    [JsonStringEnumMemberName("unknown_key")]
    UnknownKey,
}

/// <summary>The first bad entry, and how it is bad.</summary>
internal sealed record Finding
{
    public required Tampering Kind { get; init; }

    /// <summary>The number of the entry in the history, or the size of the checkpoint. Null: the entry is not sealed.</summary>
    public long? Seq { get; init; }

    public long? EntryId { get; init; }

    public Guid? JobId { get; init; }

    /// <summary>The finding in words, with all that is known.</summary>
    public required string Message { get; init; }
}
