using System.Text.Json;
using System.Text.Json.Serialization;
using Dispatcher.Jobs;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Audit.Verification;

/// <summary>
/// One line of an export that is not a checkpoint: <c>retention</c>, with the detail of the entry that states which days were dropped,
/// <c>entry</c>, with its seal, or <c>end</c>, with the number of entries. Numbers are those of the database (times in microseconds since
/// 1970), hashes are hexadecimal, <c>detail</c> is the base64 of the sealed bytes.
/// </summary>
internal sealed record ExportLine
{
    public const string RetentionType = "retention";
    public const string EntryType = "entry";
    public const string EndType = "end";

    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    public required string Type { get; init; }

    public long? Seq { get; init; }
    public long? SealedEntryId { get; init; }
    public Guid? SealedJobId { get; init; }
    public long? JobPrevious { get; init; }
    public string? JobPreviousHash { get; init; }
    public string? Hash { get; init; }

    public long? EntryId { get; init; }
    public Guid? JobId { get; init; }
    public long? At { get; init; }
    public string? Kind { get; init; }
    public int? Attempt { get; init; }
    public string? Actor { get; init; }
    public byte[]? Detail { get; init; }

    public long? Entries { get; init; }

    public static ExportLine Of(HistoryEntry line) =>
        new()
        {
            Type = EntryType,
            Seq = line.Seal?.Seq,
            SealedEntryId = line.Seal?.EntryId,
            SealedJobId = line.Seal?.JobId,
            JobPrevious = line.Seal?.JobPrevious,
            JobPreviousHash = line.Seal is null ? null : Convert.ToHexStringLower(line.JobPreviousHash),
            Hash = line.Seal is null ? null : Convert.ToHexStringLower(line.Seal.Hash),
            EntryId = line.Entry?.EntryId,
            JobId = line.Entry?.JobId,
            At = line.Entry?.At,
            Kind = line.Entry?.Kind,
            Attempt = line.Entry?.Attempt,
            Actor = line.Entry?.Actor,
            Detail = line.Entry?.Detail,
        };

    public static ExportLine OfRetention(byte[] detail) => new() { Type = RetentionType, Detail = detail };

    public static ExportLine End(long entries) => new() { Type = EndType, Entries = entries };

    public string Write() => JsonSerializer.Serialize(this, Options);

    /// <summary>Throws <see cref="JsonException"/> or <see cref="FormatException"/> if the text is not such a line.</summary>
    public static ExportLine Read(string json) =>
        JsonSerializer.Deserialize<ExportLine>(json, Options) is { Type: RetentionType or EntryType or EndType } line
            ? line
            : throw new JsonException("The line is not part of an export.");

    public HistoryEntry ToHistory()
    {
        var seal = Seq is null
            ? null
            : new TimelineSeal
            {
                Seq = Seq.Value,
                EntryId = Needed(SealedEntryId),
                JobId = Needed(SealedJobId),
                JobPrevious = Needed(JobPrevious),
                Hash = Convert.FromHexString(Hash ?? ""),
            };
        var entry = EntryId is null
            ? null
            : new TimelineEntry
            {
                EntryId = EntryId.Value,
                JobId = Needed(JobId),
                At = Needed(At),
                Kind = Kind ?? "",
                Attempt = Needed(Attempt),
                Actor = Actor ?? "",
                Detail = Detail ?? [],
            };

        // In the database the entry was joined by this id. If the ids differ, the entry is not the sealed one.
        return new HistoryEntry(
            seal,
            Convert.FromHexString(JobPreviousHash ?? ""),
            seal is not null && entry is not null && entry.EntryId != seal.EntryId ? null : entry
        );
    }

    private static T Needed<T>(T? value)
        where T : struct => value ?? throw new JsonException("A field of the line is missing.");
}
