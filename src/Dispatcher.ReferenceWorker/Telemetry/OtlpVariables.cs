using OpenTelemetry.Resources;

namespace Dispatcher.ReferenceWorker.Telemetry;

/// <summary>
/// The standard variables of OpenTelemetry that decide whether a program exports, and under which name. The server uses the same.
/// </summary>
internal static class OtlpVariables
{
    /// <summary>Whether the environment names an OTLP endpoint for the signal.</summary>
    /// <param name="signal"><c>TRACES</c> or <c>METRICS</c>.</param>
    public static bool HasEndpoint(string signal) =>
        !string.Equals(Variable("OTEL_SDK_DISABLED"), "true", StringComparison.OrdinalIgnoreCase)
        && Variable($"OTEL_{signal}_EXPORTER") != "none"
        && (Variable("OTEL_EXPORTER_OTLP_ENDPOINT") ?? Variable($"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")) is not null;

    /// <summary>Sets the name of the service unless <c>OTEL_SERVICE_NAME</c> or <c>OTEL_RESOURCE_ATTRIBUTES</c> sets it.</summary>
    public static void NameService(ResourceBuilder resource, string name)
    {
        if (
            Variable("OTEL_SERVICE_NAME") is null
            && Variable("OTEL_RESOURCE_ATTRIBUTES")?.Contains("service.name=", StringComparison.Ordinal) != true
        )
        {
            resource.AddService(name);
        }
    }

    /// <summary>The variables of OpenTelemetry in the environment.</summary>
    public static IEnumerable<KeyValuePair<string, string?>> All() =>
        Environment
            .GetEnvironmentVariables()
            .Cast<System.Collections.DictionaryEntry>()
            .Where(variable => variable.Key is string name && name.StartsWith("OTEL_", StringComparison.Ordinal))
            .Select(variable => KeyValuePair.Create((string)variable.Key, (string?)variable.Value));

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}
