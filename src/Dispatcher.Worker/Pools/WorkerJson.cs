using System.Text.Json.Serialization;
using Dispatcher.Contracts;

namespace Dispatcher.Worker.Pools;

/// <summary>
/// Reads what the dispatcher sends: like <see cref="WireJson"/>, but it ignores unknown members. Otherwise a worker that is older than
/// its dispatcher would drop all work because of one new field.
/// </summary>
[JsonSourceGenerationOptions(RespectNullableAnnotations = true)]
[JsonSerializable(typeof(WorkMessage))]
[JsonSerializable(typeof(PermitClaims))]
[JsonSerializable(typeof(ClaimAnswer))]
[JsonSerializable(typeof(HeartbeatAnswer))]
internal sealed partial class WorkerJson : JsonSerializerContext;
