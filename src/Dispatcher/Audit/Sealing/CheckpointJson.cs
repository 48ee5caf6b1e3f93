using System.Text.Json;
using System.Text.Json.Serialization;
using Dispatcher.Base;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Audit.Sealing;

/// <summary>A checkpoint as one line of JSON, in the checkpoint file and in an export.</summary>
internal sealed record CheckpointJson
{
    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        RespectRequiredConstructorParameters = true,
    };

    [JsonPropertyOrder(-1)]
    public string Type { get; init; } = Checkpoint;

    public required string Origin { get; init; }
    public required long Size { get; init; }

    /// <summary>64 hexadecimal digits.</summary>
    public required string Root { get; init; }

    /// <summary>64 hexadecimal digits.</summary>
    public required string Head { get; init; }

    /// <summary>RFC 3339, to the microsecond.</summary>
    public required DateTimeOffset At { get; init; }
    public required string KeyId { get; init; }

    /// <summary>The signature in DER form, as base64.</summary>
    public required string Signature { get; init; }

    public const string Checkpoint = "checkpoint";

    public static string Write(TimelineCheckpoint checkpoint) =>
        JsonSerializer.Serialize(
            new CheckpointJson
            {
                Origin = checkpoint.Origin,
                Size = checkpoint.Size,
                Root = Convert.ToHexStringLower(checkpoint.Root),
                Head = Convert.ToHexStringLower(checkpoint.Head),
                At = Timestamps.At(checkpoint.At),
                KeyId = checkpoint.KeyId,
                Signature = Convert.ToBase64String(checkpoint.Signature),
            },
            Options
        );

    /// <summary>Throws <see cref="JsonException"/> or <see cref="FormatException"/> if the line is not a checkpoint.</summary>
    public static TimelineCheckpoint Read(string line)
    {
        var json = JsonSerializer.Deserialize<CheckpointJson>(line, Options);
        return json is not { Type: Checkpoint }
            ? throw new JsonException("The line is not a checkpoint.")
            : new TimelineCheckpoint
            {
                Origin = json.Origin,
                Size = json.Size,
                Root = Convert.FromHexString(json.Root),
                Head = Convert.FromHexString(json.Head),
                At = Timestamps.Micros(json.At),
                KeyId = json.KeyId,
                Signature = Convert.FromBase64String(json.Signature),
            };
    }
}
