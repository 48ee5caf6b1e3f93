using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using Dispatcher.Contracts;

namespace Dispatcher.Jobs;

/// <summary>A job that cannot continue, or a submission that could not be read, with its reason and its owner.</summary>
internal sealed record DeadLetter
{
    private static readonly JsonSerializerOptions Options = new() { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    public required Guid DeadLetterId { get; init; }

    /// <summary>Set by the store: microseconds since 1970 by the database's clock.</summary>
    public long At { get; init; }

    /// <summary><c>malformed</c>, or the class of the fault: see <see cref="DeadLetterCopy.FaultClass"/>.</summary>
    public required string FaultClass { get; init; }

    public required string Owner { get; init; }
    public required string Topic { get; init; }
    public required string Principal { get; init; }

    /// <summary>Null for a submission that could not be read.</summary>
    public Guid? JobId { get; init; }

    public int Attempt { get; init; }
    public Fault? Fault { get; init; }

    /// <summary>The errors of a malformed submission. Empty for a job.</summary>
    public IReadOnlyList<InputError> Errors { get; init; } = [];

    /// <summary>The first 64 KiB of a malformed submission. Null for a job, whose row has the payload.</summary>
    public byte[]? Body { get; init; }

    /// <summary>Length of the whole body in bytes.</summary>
    public int BodyLength { get; init; }

    /// <summary>SHA-256 of the whole body, hex.</summary>
    public string? BodySha256 { get; init; }

    /// <summary>
    /// SHA-256 over every field but the time, hex. The timeline entry names it, so that verification finds a changed row. The form is
    /// frozen: a new field must be null in existing dead letters.
    /// </summary>
    public string Hash()
    {
        var kept = new
        {
            DeadLetterId,
            FaultClass,
            Owner,
            Topic,
            Principal,
            JobId,
            Attempt,
            Fault,
            Errors,
            Body,
            BodyLength,
            BodySha256,
        };
        return Convert.ToHexStringLower(
            SHA256.HashData([.. "dispatcher/dead-letter/v1\0"u8, .. JsonSerializer.SerializeToUtf8Bytes(kept, Options)])
        );
    }
}
