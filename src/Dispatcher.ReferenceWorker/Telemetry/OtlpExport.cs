using Npgsql;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace Dispatcher.ReferenceWorker.Telemetry;

/// <summary>
/// Exports the traces and metrics of the worker by OTLP when one of the standard variables names an endpoint. The library
/// <c>Dispatcher.Worker</c> has only the sources; another worker program adds its exporter in the same way.
/// </summary>
internal static class OtlpExport
{
    /// <summary>The name of the meter and of the trace source of <c>Dispatcher.Worker</c>.</summary>
    private const string Source = "Dispatcher.Worker";

    public static void AddOtlpExport(this IServiceCollection services)
    {
        if (OtlpVariables.HasEndpoint("TRACES"))
        {
            services
                .AddOpenTelemetry()
                .ConfigureResource(resource => OtlpVariables.NameService(resource, "dispatcher-worker"))
                .WithTracing(traces => traces.AddSource(Source).AddHttpClientInstrumentation().AddNpgsql().AddOtlpExporter());
        }

        if (OtlpVariables.HasEndpoint("METRICS"))
        {
            services
                .AddOpenTelemetry()
                .ConfigureResource(resource => OtlpVariables.NameService(resource, "dispatcher-worker"))
                .WithMetrics(metrics => metrics.AddMeter(Source, "System.Runtime").AddOtlpExporter());
        }
    }
}
