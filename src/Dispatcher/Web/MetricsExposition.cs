using Dispatcher.Base;
using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace Dispatcher.Web;

/// <summary><c>GET /metrics</c> in Prometheus' text form, without a key: names and numbers, nothing of a job.</summary>
internal static class MetricsExposition
{
    /// <summary>The embedded server's worker is in this process.</summary>
    private const string WorkerMeter = "Dispatcher.Worker";

    public const string Route = "/metrics";

    public static void AddMetricsExposition(this IServiceCollection services) =>
        services.AddSingleton(_ =>
            Sdk.CreateMeterProviderBuilder()
                .AddMeter(DispatcherMetrics.Name, WorkerMeter)
                .AddPrometheusExporter(options => options.ScopeInfoEnabled = false)
                .Build()
        );

    public static void MapMetrics(this WebApplication app) => app.MapPrometheusScrapingEndpoint(Route);
}
