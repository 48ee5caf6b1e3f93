using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.ReferenceWorker;
using Dispatcher.ReferenceWorker.Integrations;
using Dispatcher.Worker;
using Microsoft.Extensions.Options;

namespace Dispatcher.UnitTests.ReferenceWorker.Integrations;

/// <summary>What leaves the worker for a call, and what must not.</summary>
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
                // Copied: the server uses the request's object again.
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

    /// <summary>Everything that the HTTP library would refuse or leave out: one fault, at once, and nothing is sent.</summary>
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
    public async Task A_call_that_cannot_be_sent_is_a_terminal_fault_before_anything_is_sent(
        string method,
        string body,
        string headers,
        string why
    )
    {
        var payload =
            $$"""{"url": "{{Url(_one, "/charge")}}", "method": "{{method}}", "headers": {{headers}}{{(body.Length == 0 ? "" : ", \"body\": " + body)}}}""";

        var fault = await Allowed(_one).With(payload).FaultOf(Handler);

        Assert.Equal(("bad_payload", FaultClass.Terminal), (fault.Code, fault.FaultClass));
        Assert.Contains(why, fault.Message, StringComparison.Ordinal);
        Assert.Empty(_seen);
    }

    [Theory]
    [InlineData("http://h:0/")]
    [InlineData("http://a..b/")]
    [InlineData("http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.org/")]
    public async Task An_address_that_nothing_can_have_is_a_bad_payload(string url) =>
        Assert.Equal(
            "bad_payload",
            (
                await _run.Constrained(new Constraints { AllowedHosts = ["h"] })
                    .With(JsonSerializer.Serialize(new { url }))
                    .FaultOf(Handler)
            ).Code
        );

    [Fact]
    public async Task Headers_of_the_body_and_of_the_call_arrive_as_they_were_given()
    {
        var payload =
            $$"""{"url": "{{Url(_one, "/charge")}}", "method": "POST", "body": "a", "headers": {"Content-Type": "text/csv; charset=utf-8", "Expires": "0", "X-A": "b c"} }""";

        await Allowed(_one).With(payload).By(Handler);

        var seen = Assert.Single(_seen);
        Assert.Equal(
            ("text/csv; charset=utf-8", "0", "b c"),
            (seen.ContentType.ToString(), seen["Expires"].ToString(), seen["X-A"].ToString())
        );
    }

    [Fact]
    public async Task A_proxy_is_used_only_where_the_operator_names_it_and_never_for_this_machine()
    {
        using var named = new EgressClient(Options.Create(new ReferenceWorkerOptions { EgressProxy = new Uri(_one.Urls.Single()) }));
        var elsewhere = _run.Constrained(new Constraints { AllowedHosts = ["nowhere.invalid"] })
            .With("""{"url": "http://nowhere.invalid/hello"}""");
        var before = HttpClient.DefaultProxy;

        // What the runtime makes of HTTP_PROXY. Other tests run meanwhile: it is for one host only.
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
