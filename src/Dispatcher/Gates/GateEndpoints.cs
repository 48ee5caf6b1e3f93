namespace Dispatcher.Gates;

/// <summary>The three numbers that <c>ops/gate-check.sh</c> asks for: always 200 and a plain number, without a key.</summary>
internal static class GateEndpoints
{
    /// <summary><c>true</c>: the number is not measured, it only blocks.</summary>
    public const string NoData = "Dispatcher-No-Data";

    /// <summary>Why it is not measured.</summary>
    public const string Reason = "Dispatcher-No-Data-Reason";

    public static void MapGates(this IEndpointRouteBuilder routes)
    {
        Map(routes, "high-risk-unapproved", GateMetric.HighRiskUnapproved);
        Map(routes, "success-rate", GateMetric.SuccessRate);
        Map(routes, "p95-latency-ms", GateMetric.P95LatencyMs);
    }

    /// <summary>Answers with the number that blocks. Null: the request asks for no gate.</summary>
    public static Task? Block(HttpContext http, string reason) =>
        http.GetEndpoint()?.Metadata.GetMetadata<Asked>() is { } asked
            ? Answer(http, GateMetrics.Blocked(asked.Metric, reason)).ExecuteAsync(http)
            : null;

    /// <summary>The window is read as text: a route that refuses it would answer with an error, which the script takes for no number.</summary>
    private static void Map(IEndpointRouteBuilder routes, string name, GateMetric metric) => routes.MapGet(
        "/metrics/" + name,
        async (HttpContext http, GateMetrics gates) =>
            Answer(http, await gates.AskAsync(metric, http.Request.Query["window"], http.RequestAborted)))
        .WithTags("gates").WithMetadata(new Asked(metric)).Produces<string>(contentType: "text/plain");

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
