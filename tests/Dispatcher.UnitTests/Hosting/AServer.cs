using System.Security.Claims;
using System.Text;
using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.Hosting;
using Dispatcher.Storage;
using Dispatcher.UnitTests.Storage;
using Dispatcher.Web;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.UnitTests.Hosting;

/// <summary>
/// The embedded server with a migrated store, not started: its routes answer, nothing runs in the background. The caller
/// is given and not authenticated.
/// </summary>
internal sealed class AServer : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("dispatcher-unit-");
    private readonly WebApplication _app;

    private AServer()
    {
        Policies = _folder.CreateSubdirectory("policies").FullName;
        _app = Server.Build(
            new ServerSettings
            {
                DataFolder = _folder.FullName,
                PolicyFolder = Policies,
                Urls = "http://127.0.0.1:0",
                Worker = false,
                LogLevel = "Fatal",
            }
        );
    }

    /// <summary>The policy folder, empty.</summary>
    public string Policies { get; }

    /// <summary>The data folder.</summary>
    public string Data => _folder.FullName;

    public static async Task<AServer> MigratedAsync()
    {
        var server = new AServer();
        await MigratedSqlite.CopyToAsync(EmbeddedFiles.Database(server.Data));
        return server;
    }

    public T Get<T>()
        where T : notnull => _app.Services.GetRequiredService<T>();

    /// <summary>Null: it is not registered.</summary>
    public T? Find<T>()
        where T : class => _app.Services.GetService<T>();

    public async Task<DispatcherDb> DatabaseAsync() =>
        await Get<IDbContextFactory<DispatcherDb>>().CreateDbContextAsync(TestContext.Current.CancellationToken);

    public async Task StoreAsync(params object[] rows)
    {
        await using var db = await DatabaseAsync();
        db.AddRange(rows);
        await db.SaveChangesAsync(TestContext.Current.CancellationToken);
    }

    /// <summary>All routes.</summary>
    public IEnumerable<RouteEndpoint> Endpoints =>
        ((IEndpointRouteBuilder)_app).DataSources.SelectMany(source => source.Endpoints).OfType<RouteEndpoint>();

    /// <summary>A route, named as in <c>Routes.approved.txt</c>.</summary>
    public RouteEndpoint Endpoint(string method, string route) =>
        Endpoints.Single(endpoint =>
            endpoint.RoutePattern.RawText == route
            && endpoint.Metadata.GetRequiredMetadata<HttpMethodMetadata>().HttpMethods.Contains(method)
        );

    /// <summary>The endpoint of a route that has only one.</summary>
    public RouteEndpoint Endpoint(string route) => Endpoints.Single(endpoint => endpoint.RoutePattern.RawText == route);

    /// <summary>
    /// Status and body of the answer. A route is named as in <c>Routes.approved.txt</c>; its one parameter, if any, is <paramref
    /// name="id"/> or <paramref name="name"/>.
    /// </summary>
    public async Task<(int Status, JsonElement Body)> AskAsync(
        string method,
        string route,
        ClaimsPrincipal caller,
        string query = "",
        Guid? id = null,
        string? body = null,
        string? name = null
    )
    {
        var endpoint = Endpoint(method, route);
        await using var scope = _app.Services.CreateAsyncScope();
        using var answer = new MemoryStream();
        var http = new DefaultHttpContext { RequestServices = scope.ServiceProvider, User = caller };
        http.Request.Method = method;
        http.Request.QueryString = new QueryString(query);
        http.Request.RouteValues = new RouteValueDictionary(
            endpoint.RoutePattern.Parameters.Select(parameter => KeyValuePair.Create(parameter.Name, (object?)(name ?? id?.ToString())))
        );
        http.Response.Body = answer;
        if (body is not null)
        {
            http.Request.ContentType = "application/json";
            http.Request.Body = new MemoryStream(Encoding.UTF8.GetBytes(body));
            http.Request.ContentLength = http.Request.Body.Length;
            http.Features.Set<Microsoft.AspNetCore.Http.Features.IHttpRequestBodyDetectionFeature>(new HasBody());
        }

        http.SetEndpoint(endpoint);
        try
        {
            await endpoint.RequestDelegate!(http);
        }
        catch (BadHttpRequestException unreadable)
        {
            Assert.True(await new ProblemExceptionHandler().TryHandleAsync(http, unreadable, TestContext.Current.CancellationToken));
        }

        return (http.Response.StatusCode, JsonDocument.Parse(answer.ToArray()).RootElement);
    }

    /// <summary>The answer of a route with a text body, without a key.</summary>
    public async Task<string> TextAsync(string route)
    {
        var endpoint = Endpoints.Single(endpoint => endpoint.RoutePattern.RawText == route);
        using var answer = new MemoryStream();
        var http = new DefaultHttpContext { RequestServices = _app.Services };
        http.Request.Method = "GET";
        http.Request.Path = route;
        http.Response.Body = answer;
        await endpoint.RequestDelegate!(http);
        Assert.Equal(StatusCodes.Status200OK, http.Response.StatusCode);
        return Encoding.UTF8.GetString(answer.ToArray());
    }

    /// <summary>The codes of the errors in a problem, each with its place.</summary>
    public static IEnumerable<string> Errors(JsonElement problem) =>
        problem
            .GetProperty("errors")
            .EnumerateArray()
            .Select(error => $"{error.GetProperty("code").GetString()} {error.GetProperty("where").GetString()}");

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        _folder.Delete(recursive: true);
    }

    private sealed class HasBody : Microsoft.AspNetCore.Http.Features.IHttpRequestBodyDetectionFeature
    {
        public bool CanHaveBody => true;
    }
}

/// <summary>The caller of a request.</summary>
internal static class ACaller
{
    public static ClaimsPrincipal With(string role, string subject = "somebody") =>
        new(new ClaimsIdentity([new Claim(ClaimTypes.NameIdentifier, subject), new Claim(ClaimTypes.Role, role)], "test"));
}
