using System.Collections.Concurrent;
using System.Text.Json;

namespace Dispatcher.UnitTests.ReferenceWorker.Integrations;

/// <summary>Two HTTP servers for calls of a job, and the headers of every request that they received.</summary>
internal sealed class CalledServers : IAsyncDisposable
{
    public WebApplication One { get; } = Server();

    public WebApplication Two { get; } = Server();

    public ConcurrentQueue<IHeaderDictionary> Seen { get; } = new();

    public static string Host(WebApplication server) => new Uri(server.Urls.Single()).Authority;

    public static string Url(WebApplication server, string path) => server.Urls.Single() + path;

    public static string Get(WebApplication server, string path) => JsonSerializer.Serialize(new { url = Url(server, path) });

    public async Task StartAsync()
    {
        foreach (var server in (WebApplication[])[One, Two])
        {
            server.Use(
                async (context, next) =>
                {
                    // Copied, because the server reuses the object of the request.
                    Seen.Enqueue(new HeaderDictionary(context.Request.Headers.ToDictionary(StringComparer.OrdinalIgnoreCase)));
                    await next();
                }
            );
            server.MapGet("/hello", () => "hello");
            server.MapGet("/big", () => new string('x', 100_000));
            server.MapGet("/bytes", () => Results.Bytes([0xFF, 0x00, 0x01]));
            server.MapGet("/to", (string url) => Results.Redirect(url));
            server.MapMethods(
                "/to/{status:int}",
                ["POST", "PUT", "PATCH", "DELETE"],
                (int status, string url) => Results.Redirect(url, permanent: status == 308, preserveMethod: true)
            );
            server.MapPost(
                "/charge",
                async (HttpRequest request) =>
                    Results.Text("charged " + await new StreamReader(request.Body).ReadToEndAsync(TestContext.Current.CancellationToken))
            );
            server.MapPost("/break", (HttpContext context) => context.Abort());
            server.MapMethods(
                "/status/{code:int}",
                ["GET", "POST"],
                (int code, HttpContext context) =>
                {
                    context.Response.Headers.RetryAfter = "7";
                    return Results.StatusCode(code);
                }
            );
            await server.StartAsync(TestContext.Current.CancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await One.DisposeAsync();
        await Two.DisposeAsync();
    }

    private static WebApplication Server()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        builder.Services.AddRoutingCore();
        return builder.Build();
    }
}
