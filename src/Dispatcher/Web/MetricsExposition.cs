using Dispatcher.Base;
using Dispatcher.Worker.Pools;
using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace Dispatcher.Web;

/// <summary><c>GET /metrics</c> in the text format of Prometheus, without a key. No label or value comes from a job's content.</summary>
internal static class MetricsExposition
{
    /// <summary>The metrics of .NET itself: memory, garbage collections, threads.</summary>
    private const string RuntimeMeter = "System.Runtime";

    public const string Route = "/metrics";

    public static void AddMetricsExposition(this IServiceCollection services) =>
        services.AddSingleton(_ =>
            Sdk.CreateMeterProviderBuilder()
                .AddMeter(DispatcherMetrics.Name, RuntimeMeter)
                // An embedded server runs its worker in this process.
                .AddMeter(WorkerMetrics.Name)
                .AddPrometheusExporter(options => options.ScopeInfoEnabled = false)
                .Build()
        );

    public static void MapMetrics(this WebApplication app) => app.MapPrometheusScrapingEndpoint(Route);
}
