using System.Text.Json.Serialization;

namespace Dispatcher.Audit.Verification;

/// <summary>How an entry of the history is bad.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Tampering>))]
internal enum Tampering
{
    /// <summary>A column of the entry, or of its seal, is not what was sealed.</summary>
    [JsonStringEnumMemberName("altered")]
    Altered,

    /// <summary>It was sealed and is not there.</summary>
    [JsonStringEnumMemberName("missing")]
    Missing,

    /// <summary>It is there and was not when the others around it were sealed.</summary>
    [JsonStringEnumMemberName("inserted")]
    Inserted,

    /// <summary>It stands where another one was sealed.</summary>
    [JsonStringEnumMemberName("reordered")]
    Reordered,

    /// <summary>The history ends before a checkpoint that was signed.</summary>
    [JsonStringEnumMemberName("truncated")]
    Truncated,

    /// <summary>Seals fit one another and not a checkpoint: somebody made them anew.</summary>
    [JsonStringEnumMemberName("rewritten")]
    Rewritten,

    /// <summary>A checkpoint that the key it names did not sign.</summary>
    [JsonStringEnumMemberName("forged")]
    Forged,

    /// <summary>Nothing is known to be bad: a checkpoint names a key whose public half was not given.</summary>
    [JsonStringEnumMemberName("unknown_key")]
    UnknownKey,
}

/// <summary>The first bad entry, and how it is bad.</summary>
internal sealed record Finding
{
    public required Tampering Kind { get; init; }

    /// <summary>Its number in the history; of a checkpoint, its size. Null: it has none.</summary>
    public long? Seq { get; init; }

    public long? EntryId { get; init; }

    public Guid? JobId { get; init; }

    /// <summary>The same in words, with what is known beyond the ids.</summary>
    public required string Message { get; init; }
}
