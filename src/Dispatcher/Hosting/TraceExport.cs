using System.Diagnostics;
using Dispatcher.Jobs;
using Dispatcher.ReferenceWorker.Telemetry;
using Dispatcher.Storage;
using Dispatcher.Web;
using Dispatcher.Worker.Pools;
using Npgsql;
using OpenTelemetry.Trace;

namespace Dispatcher.Hosting;

/// <summary>
/// Exports traces by OTLP when one of the standard variables names an endpoint. Without one nothing listens, so that no span is made. The
/// SDK reads the other variables itself: protocol, headers, sampler, batches.
/// </summary>
internal static class TraceExport
{
    public static void AddTraceExport(this IServiceCollection services)
    {
        if (!OtlpVariables.HasEndpoint("TRACES"))
        {
            return;
        }

        services
            .AddOpenTelemetry()
            .ConfigureResource(resource => OtlpVariables.NameService(resource, "dispatcher"))
            .WithTracing(traces =>
                traces
                    .AddSource(JobSpans.SourceName)
                    // An embedded server runs its worker in this process.
                    .AddSource(WorkerMetrics.Name)
                    .AddAspNetCoreInstrumentation(http => http.Filter = IsOfClient)
                    .AddHttpClientInstrumentation()
                    .AddNpgsql()
                    .AddOtlpExporter()
            );
        services.AddSingleton<NpgsqlTracing>(_ =>
            options =>
                options
                    .EnablePhysicalOpenTracing(false)
                    .ConfigureCommandFilter(_ => IsTraced())
                    .ConfigureBatchFilter(_ => IsTraced())
                    .ConfigureCopyOperationFilter(_ => IsTraced())
        );
    }

    /// <summary>Statements of loops belong to no request and no job: each would be a trace of its own, several every second.</summary>
    private static bool IsTraced() => Activity.Current is { Recorded: true };

    /// <summary>Probes ask every few seconds, and their answers are in the metrics.</summary>
    private static bool IsOfClient(HttpContext http) =>
        !http.Request.Path.StartsWithSegments("/health", StringComparison.Ordinal)
        && !http.Request.Path.StartsWithSegments(MetricsExposition.Route, StringComparison.Ordinal);
}
