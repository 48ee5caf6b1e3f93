using Dispatcher.Base;
using Dispatcher.ReferenceWorker.Telemetry;
using Dispatcher.Worker.Pools;
using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace Dispatcher.Web;

/// <summary>
/// <c>GET /metrics</c> in the text format of Prometheus, without a key; by OTLP too if the environment names an endpoint. No label or value
/// comes from a job's content.
/// </summary>
internal static class MetricsExposition
{
    /// <summary>The metrics of .NET itself: memory, garbage collections, threads.</summary>
    private const string RuntimeMeter = "System.Runtime";

    public const string Route = "/metrics";

    public static void AddMetricsExposition(this IServiceCollection services) =>
        services.AddSingleton(_ =>
        {
            var metrics = Sdk.CreateMeterProviderBuilder()
                .ConfigureResource(resource => OtlpVariables.NameService(resource, "dispatcher"))
                .AddMeter(DispatcherMetrics.Name, RuntimeMeter)
                // An embedded server runs its worker in this process.
                .AddMeter(WorkerMetrics.Name)
                .AddPrometheusExporter(options => options.ScopeInfoEnabled = false);
            return (OtlpVariables.HasEndpoint("METRICS") ? metrics.AddOtlpExporter() : metrics).Build();
        });

    public static void MapMetrics(this WebApplication app) => app.MapPrometheusScrapingEndpoint(Route);
}
