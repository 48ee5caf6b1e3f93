using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.ReferenceWorker;
using Dispatcher.ReferenceWorker.Integrations;
using Dispatcher.Worker;
using Microsoft.Extensions.Options;

namespace Dispatcher.UnitTests.ReferenceWorker.Integrations;

/// <summary>The requests that the worker sends for a call, and those that it must not send.</summary>
public sealed class IntegrationCallTests : IAsyncLifetime
{
    private readonly ARun _run = new();
    private readonly EgressClient _egress;
    private readonly WebApplication _one = Server();
    private readonly WebApplication _two = Server();
    private readonly ConcurrentQueue<IHeaderDictionary> _seen = new();

    public IntegrationCallTests() => _egress = new EgressClient(_run.Options);

    private IntegrationHandler Handler => new(_egress, _run.Options, TimeProvider.System);

    public async ValueTask InitializeAsync()
    {
        foreach (var server in (WebApplication[])[_one, _two])
        {
            server.Run(async context =>
            {
                // Copied, because the server reuses the object of the request.
                _seen.Enqueue(new HeaderDictionary(context.Request.Headers.ToDictionary(StringComparer.OrdinalIgnoreCase)));
                await context.Response.WriteAsync("hello", TestContext.Current.CancellationToken);
            });
            await server.StartAsync(TestContext.Current.CancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _one.DisposeAsync();
        await _two.DisposeAsync();
        _egress.Dispose();
        _run.Dispose();
    }

    /// <summary>Values that the HTTP library would refuse or drop. Each is a fault before a request is sent.</summary>
    [Theory]
    [InlineData("GET", "", """{"X-Name": "Zo\u00eb"}""", "U+00EB in X-Name")]
    [InlineData("GET", "", """{"X-Name": "\ud83d\udc32"}""", "in X-Name")]
    [InlineData("GET", "", """{"X Name": "a"}""", "'X Name', which is not a header name")]
    [InlineData("GET", "", """{"X-N\u00e4me": "a"}""", "not a header name")]
    [InlineData("GET", "", """{"": "a"}""", "not a header name")]
    [InlineData("GET", "", """{"Keep-Alive": "a"}""", "must not set Keep-Alive")]
    [InlineData("GET", "", """{"proxy-connection": "a"}""", "must not set proxy-connection")]
    [InlineData("POST", "1", """{"content-length": "7"}""", "must not set content-length")]
    [InlineData("GET", "", """{"Content-Type": "text/plain"}""", "Content-Type, which describes a body")]
    [InlineData("GET", "", """{"Expires": "0"}""", "Expires, which describes a body")]
    [InlineData("GET", "", """{"X-A": "1", "x-a": "2"}""", "twice")]
    [InlineData("POST", "\"a\"", """{"Content-Type": "text/plain; charset=latin-1"}""", "charset latin-1")]
    [InlineData("POST", "\"a\"", """{"Content-Encoding": "gzip"}""", "Content-Encoding")]
    [InlineData("BREW", "", "{}", "'method' must be one of")]
    public async Task Call_that_cannot_be_sent_is_a_terminal_fault_and_sends_no_request(
        string method,
        string body,
        string headers,
        string why
    )
    {
        var member = body.Length == 0 ? "" : ", \"body\": " + body;
        var payload = $$"""{"url": "{{Url(_one, "/charge")}}", "method": "{{method}}", "headers": {{headers}}{{member}}}""";

        var fault = await Allowed(_one).With(payload).FaultOf(Handler);

        Assert.Equal(("bad_payload", FaultClass.Terminal), (fault.Code, fault.FaultClass));
        Assert.Contains(why, fault.Message, StringComparison.Ordinal);
        Assert.Empty(_seen);
    }

    [Theory]
    [InlineData("http://h:0/")]
    [InlineData("http://a..b/")]
    [InlineData("http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.org/")]
    public async Task Impossible_address_is_a_bad_payload(string url) =>
        Assert.Equal(
            "bad_payload",
            (
                await _run.Constrained(new Constraints { AllowedHosts = ["h"] })
                    .With(JsonSerializer.Serialize(new { url }))
                    .FaultOf(Handler)
            ).Code
        );

    [Fact]
    public async Task Headers_of_the_body_and_of_the_call_arrive_unchanged()
    {
        const string headers = """{"Content-Type": "text/csv; charset=utf-8", "Expires": "0", "X-A": "b c"}""";
        var payload = $$"""{"url": "{{Url(_one, "/charge")}}", "method": "POST", "body": "a", "headers": {{headers}} }""";

        await Allowed(_one).With(payload).By(Handler);

        var seen = Assert.Single(_seen);
        Assert.Equal(
            ("text/csv; charset=utf-8", "0", "b c"),
            (seen.ContentType.ToString(), seen["Expires"].ToString(), seen["X-A"].ToString())
        );
    }

    [Fact]
    public async Task Proxy_is_used_only_if_the_operator_names_it_and_never_for_this_machine()
    {
        using var named = new EgressClient(Options.Create(new ReferenceWorkerOptions { EgressProxy = new Uri(_one.Urls.Single()) }));
        var elsewhere = _run.Constrained(new Constraints { AllowedHosts = ["nowhere.invalid"] })
            .With("""{"url": "http://nowhere.invalid/hello"}""");
        var before = HttpClient.DefaultProxy;

        // The proxy that the runtime creates from HTTP_PROXY. It is for one host only, because other tests run at the same time.
        HttpClient.DefaultProxy = new ProxyOf("nowhere.invalid", new Uri(_one.Urls.Single()));
        var direct = await elsewhere.FaultOf(Handler);
        HttpClient.DefaultProxy = before;
        var byProxy = await elsewhere.By(new IntegrationHandler(named, _run.Options, TimeProvider.System));
        await Allowed(_two).With(Get(_two, "/hello")).By(new IntegrationHandler(named, _run.Options, TimeProvider.System));

        Assert.Equal(("hello", "unreachable"), (byProxy.GetProperty("body").GetString(), direct.Code));
        Assert.Equal(["nowhere.invalid", Host(_two)], _seen.Select(request => request.Host.ToString()));
    }

    private ARun Allowed(params WebApplication[] servers) => _run.Constrained(new Constraints { AllowedHosts = [.. servers.Select(Host)] });

    private static string Get(WebApplication server, string path) => JsonSerializer.Serialize(new { url = Url(server, path) });

    private static string Host(WebApplication server) => new Uri(server.Urls.Single()).Authority;

    private static string Url(WebApplication server, string path) => server.Urls.Single() + path;

    private static WebApplication Server()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        return builder.Build();
    }

    private sealed class ProxyOf(string only, Uri proxy) : IWebProxy
    {
        public ICredentials? Credentials { get; set; }

        public Uri GetProxy(Uri destination) => proxy;

        public bool IsBypassed(Uri host) => host.Host != only;
    }
}
