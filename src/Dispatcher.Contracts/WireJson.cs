using System.Text.Json.Serialization;

namespace Dispatcher.Contracts;

/// <summary>Reads and writes the wire records: names as annotated, unknown members refused, null refused where it means nothing, nulls kept where the record says so.</summary>
[JsonSourceGenerationOptions(UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(SubmitJob))]
[JsonSerializable(typeof(JobDecision))]
[JsonSerializable(typeof(Refused))]
[JsonSerializable(typeof(JobEvent))]
[JsonSerializable(typeof(WorkMessage))]
[JsonSerializable(typeof(PermitClaims))]
[JsonSerializable(typeof(ClaimRequest))]
[JsonSerializable(typeof(ClaimAnswer))]
[JsonSerializable(typeof(HeartbeatRequest))]
[JsonSerializable(typeof(HeartbeatAnswer))]
[JsonSerializable(typeof(OutcomeBatch))]
[JsonSerializable(typeof(DeadLetterCopy))]
public sealed partial class WireJson : JsonSerializerContext;
