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

    /// <summary>The window is read as text: a route that refuses it would answer with an error, which the script takes for no number.</summary>
    private static void Map(IEndpointRouteBuilder routes, string name, GateMetric metric) => routes.MapGet("/metrics/" + name, async (HttpContext http, GateMetrics gates) =>
    {
        var answer = await gates.AskAsync(metric, http.Request.Query["window"], http.RequestAborted);
        if (answer.NoData is { } reason)
        {
            http.Response.Headers[NoData] = "true";
            http.Response.Headers[Reason] = Printable(reason);
        }

        http.Response.Headers.CacheControl = "no-store";
        return Results.Text(answer.Text);
    }).WithTags("gates").Produces<string>(contentType: "text/plain");

    /// <summary>A header takes no other characters.</summary>
    private static string Printable(string text) => string.Concat(text.Select(c => c is >= ' ' and <= '~' ? c : '?'));
}
