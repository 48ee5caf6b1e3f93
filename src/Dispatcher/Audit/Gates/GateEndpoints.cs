using Dispatcher.Policies.Texts;

namespace Dispatcher.Audit.Gates;

/// <summary>
/// The three gate metrics that <c>ops/gate-check.sh</c> reads. Every answer is 200 with a plain number; no API key is needed.
/// </summary>
internal static class GateEndpoints
{
    /// <summary><c>true</c>: the number was not measured and only blocks.</summary>
    public const string NoData = "Dispatcher-No-Data";

    /// <summary>Why the number was not measured.</summary>
    public const string Reason = "Dispatcher-No-Data-Reason";

    private const string Folder = "metrics";

    private static readonly Dictionary<string, GateMetric> Names = new(StringComparer.Ordinal)
    {
        ["high-risk-unapproved"] = GateMetric.HighRiskUnapproved,
        ["success-rate"] = GateMetric.SuccessRate,
        ["p95-latency-ms"] = GateMetric.P95LatencyMs,
    };

    public static void MapGates(this IEndpointRouteBuilder routes)
    {
        foreach (var (name, metric) in Names)
        {
            Map(routes, name, metric);
        }
    }

    /// <summary>
    /// Gives each unknown path below <c>metrics</c> an endpoint that answers with a blocking number, for example
    /// <c>//metrics/success-rate</c> or <c>/api/metrics/success</c>. The script reads an error page as no number, and passes without a
    /// number.
    /// </summary>
    public static void UseGateFallback(this IApplicationBuilder app) =>
        app.Use(
            (http, next) =>
            {
                if (http.GetEndpoint() is null && UnknownNumber(http.Request.Path) is { } name)
                {
                    var metric = NearestTo(name);
                    var reason =
                        $"there is no gate metric at {http.Request.Path}; "
                        + $"allowed: {string.Join(", ", Names.Keys.Select(known => $"/{Folder}/{known}"))}";
                    http.SetEndpoint(
                        new Endpoint(
                            gate => Answer(gate, GateMetrics.Blocked(metric, reason)).ExecuteAsync(gate),
                            new EndpointMetadataCollection(new OfMetric(metric)),
                            "unknown number of a gate"
                        )
                    );
                }

                return next(http);
            }
        );

    /// <summary>
    /// The last segment of a path that contains the segment <c>metrics</c> before it. Null: the path has no such segment.
    /// </summary>
    private static string? UnknownNumber(PathString path)
    {
        var segments = (path.Value ?? "").Split('/', StringSplitOptions.RemoveEmptyEntries);
        return segments.SkipLast(1).Contains(Folder, StringComparer.OrdinalIgnoreCase) ? segments[^1] : null;
    }

    /// <summary>The metric that the name most likely means. The guess matters: a number that blocks one gate may pass another.</summary>
    private static GateMetric NearestTo(string name) =>
        Nearest.To(name, [.. Names.Keys]) is { } nearest ? Names[nearest]
        : name.Contains("rate", StringComparison.OrdinalIgnoreCase) || name.Contains("success", StringComparison.OrdinalIgnoreCase)
            ? GateMetric.SuccessRate
        : GateMetric.P95LatencyMs;

    /// <summary>Answers with the blocking number. Null: the request is not for a gate metric.</summary>
    public static Task? Block(HttpContext http, string reason) =>
        http.GetEndpoint()?.Metadata.GetMetadata<OfMetric>() is { } endpoint
            ? Answer(http, GateMetrics.Blocked(endpoint.Metric, reason)).ExecuteAsync(http)
            : null;

    /// <summary>Reads the window as text, because a typed parameter would answer a bad value with an error instead of a number.</summary>
    private static void Map(IEndpointRouteBuilder routes, string name, GateMetric metric) =>
        routes
            .MapGet(
                $"/{Folder}/{name}",
                async (HttpContext http, GateMetrics gates) =>
                    Answer(http, await gates.AnswerAsync(metric, http.Request.Query["window"], http.RequestAborted))
            )
            .WithTags("gates")
            .WithMetadata(new OfMetric(metric))
            .Produces<string>(contentType: "text/plain");

    private static IResult Answer(HttpContext http, GateAnswer answer)
    {
        if (answer.NoData is { } reason)
        {
            http.Response.Headers[NoData] = "true";
            http.Response.Headers[Reason] = Printable(reason);
        }

        if (answer.Age is { } age)
        {
            http.Response.Headers.Age = ((long)age.TotalSeconds).ToString(System.Globalization.CultureInfo.InvariantCulture);
        }

        http.Response.Headers.CacheControl = "no-store";
        return Results.Text(answer.Text, statusCode: StatusCodes.Status200OK);
    }

    /// <summary>Replaces the characters that a header cannot hold.</summary>
    private static string Printable(string text) => string.Concat(text.Select(c => c is >= ' ' and <= '~' ? c : '?'));

    /// <summary>The metric of an endpoint.</summary>
    private sealed record OfMetric(GateMetric Metric);
}
