using System.Text.Json.Serialization;
using Dispatcher.Contracts;

namespace Dispatcher.Worker.Pools;

/// <summary>
/// How a worker reads what the dispatcher sends: as <see cref="WireJson"/>, but members it does not know are left out. A dispatcher that is newer than its workers must not
/// have all its work dropped for a field they could do without.
/// </summary>
[JsonSourceGenerationOptions(RespectNullableAnnotations = true)]
[JsonSerializable(typeof(WorkMessage))]
[JsonSerializable(typeof(PermitClaims))]
[JsonSerializable(typeof(ClaimAnswer))]
[JsonSerializable(typeof(HeartbeatAnswer))]
internal sealed partial class WorkerJson : JsonSerializerContext;
