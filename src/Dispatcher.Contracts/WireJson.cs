using System.Text.Json.Serialization;

namespace Dispatcher.Contracts;

/// <summary>
/// Reads and writes the messages with System.Text.Json. It refuses unknown members, and null in members that cannot be
/// null. It writes null members, except those that the record marks with JsonIgnore.
/// </summary>
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
