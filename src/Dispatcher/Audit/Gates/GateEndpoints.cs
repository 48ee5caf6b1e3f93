using Dispatcher.Policies.Texts;

namespace Dispatcher.Audit.Gates;

/// <summary>The three numbers that <c>ops/gate-check.sh</c> asks for: always 200 and a plain number, without a key.</summary>
internal static class GateEndpoints
{
    /// <summary><c>true</c>: the number is not measured, it only blocks.</summary>
    public const string NoData = "Dispatcher-No-Data";

    /// <summary>Why it is not measured.</summary>
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
    /// Gives each path below <c>metrics</c> that no route has an endpoint that blocks: <c>//metrics/success-rate</c>,
    /// <c>/api/metrics/success</c>. The script takes an error page for no number, and no number for a pass.
    /// </summary>
    public static void UseGateFallback(this IApplicationBuilder app) =>
        app.Use(
            (http, next) =>
            {
                if (http.GetEndpoint() is null && UnknownNumber(http.Request.Path) is { } name)
                {
                    var metric = NearestTo(name);
                    var reason =
                        $"there is no number at {http.Request.Path}; allowed: {string.Join(", ", Names.Keys.Select(known => $"/{Folder}/{known}"))}";
                    http.SetEndpoint(
                        new Endpoint(
                            gate => Answer(gate, GateMetrics.Blocked(metric, reason)).ExecuteAsync(gate),
                            new EndpointMetadataCollection(new Asked(metric)),
                            "unknown number of a gate"
                        )
                    );
                }

                return next(http);
            }
        );

    /// <summary>The last segment of a path that has a segment <c>metrics</c> before it. Null: there is none.</summary>
    private static string? UnknownNumber(PathString path)
    {
        var segments = (path.Value ?? "").Split('/', StringSplitOptions.RemoveEmptyEntries);
        return segments.SkipLast(1).Contains(Folder, StringComparer.OrdinalIgnoreCase) ? segments[^1] : null;
    }

    /// <summary>The metric that the name most likely means, because a number that blocks one of them passes another.</summary>
    private static GateMetric NearestTo(string name) =>
        Nearest.To(name, [.. Names.Keys]) is { } nearest ? Names[nearest]
        : name.Contains("rate", StringComparison.OrdinalIgnoreCase) || name.Contains("success", StringComparison.OrdinalIgnoreCase)
            ? GateMetric.SuccessRate
        : GateMetric.P95LatencyMs;

    /// <summary>Answers with the number that blocks. Null: the request asks for no gate.</summary>
    public static Task? Block(HttpContext http, string reason) =>
        http.GetEndpoint()?.Metadata.GetMetadata<Asked>() is { } asked
            ? Answer(http, GateMetrics.Blocked(asked.Metric, reason)).ExecuteAsync(http)
            : null;

    /// <summary>The window is read as text: a route that refuses it would answer with an error, which the script takes for no number.</summary>
    private static void Map(IEndpointRouteBuilder routes, string name, GateMetric metric) =>
        routes
            .MapGet(
                $"/{Folder}/{name}",
                async (HttpContext http, GateMetrics gates) =>
                    Answer(http, await gates.AskAsync(metric, http.Request.Query["window"], http.RequestAborted))
            )
            .WithTags("gates")
            .WithMetadata(new Asked(metric))
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

    /// <summary>A header takes no other characters.</summary>
    private static string Printable(string text) => string.Concat(text.Select(c => c is >= ' ' and <= '~' ? c : '?'));

    /// <summary>Which number an endpoint tells.</summary>
    private sealed record Asked(GateMetric Metric);
}
