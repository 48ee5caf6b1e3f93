using System.Collections.Concurrent;
using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.ReferenceWorker.Integrations;
using Dispatcher.Worker.Effects;
using static Dispatcher.UnitTests.ReferenceWorker.Integrations.CalledServers;

namespace Dispatcher.UnitTests.ReferenceWorker.Integrations;

public sealed class IntegrationHandlerTests : IAsyncLifetime
{
    private readonly ARun _run = new();
    private readonly EgressClient _egress;
    private readonly CalledServers _servers = new();

    public IntegrationHandlerTests() => _egress = new EgressClient(_run.Options);

    private IntegrationHandler Handler => new(_egress, _run.Options, TimeProvider.System);

    private WebApplication One => _servers.One;

    private WebApplication Two => _servers.Two;

    private ConcurrentQueue<IHeaderDictionary> Seen => _servers.Seen;

    public async ValueTask InitializeAsync() => await _servers.StartAsync();

    public async ValueTask DisposeAsync()
    {
        await _servers.DisposeAsync();
        _egress.Dispose();
        _run.Dispose();
    }

    [Fact]
    public async Task Calls_an_allowed_host()
    {
        var result = await Allowed(One).With(Get(One, "/hello")).By(Handler);

        Assert.Equal(
            (200, "hello", "utf-8"),
            (result.GetProperty("status").GetInt32(), result.GetProperty("body").GetString(), result.GetProperty("encoding").GetString())
        );
    }

    [Fact]
    public async Task Refuses_a_host_that_is_not_listed_before_it_is_called()
    {
        Assert.Equal("host_not_allowed", (await Allowed(One).With(Get(Two, "/hello")).FaultOf(Handler)).Code);
        Assert.Empty(Seen);
    }

    [Fact]
    public async Task Refuses_every_call_when_the_decision_names_no_hosts()
    {
        Assert.Equal("host_not_allowed", (await _run.With(Get(One, "/hello")).FaultOf(Handler)).Code);
        Assert.Empty(Seen);
    }

    [Theory]
    [InlineData("https://api.github.com/x", "api.github.com", true)]
    [InlineData("https://API.GitHub.com/x", "api.github.com", true)]
    [InlineData("https://api.github.com:443/x", "api.github.com", true)]
    [InlineData("https://api.github.com:444/x", "api.github.com", false)]
    [InlineData("https://api.github.com:444/x", "api.github.com:444", true)]
    [InlineData("https://service.internal:8443/", "service.internal:8443", true)]
    [InlineData("https://service.internal/", "service.internal:8443", false)]
    [InlineData("https://service.internal:8444/", "service.internal:8443", false)]
    [InlineData("https://api.github.com/x", "api.github.com:443", true)]
    [InlineData("http://my_service:8080/", "my_service:8080", true)]
    [InlineData("http://api.github.com/x", "api.github.com:443", false)]
    [InlineData("https://evil.api.github.com/x", "api.github.com", false)]
    [InlineData("https://api.github.com.evil.org/x", "api.github.com", false)]
    [InlineData("https://api.github.com./x", "api.github.com", false)]
    [InlineData("ftp://api.github.com/x", "api.github.com", false)]
    [InlineData("file:///etc/passwd", "", false)]
    [InlineData("http://2130706433/", "127.0.0.1", true)]
    [InlineData("http://2130706433/", "2130706433", false)]
    [InlineData("http://0x7f.1/", "127.0.0.1", true)]
    [InlineData("http://017700000001/", "017700000001", false)]
    [InlineData("http://[::1]/", "[::1]", true)]
    [InlineData("http://[::1]:8080/", "[::1]:8080", true)]
    [InlineData("http://[::1]:8081/", "[::1]:8080", false)]
    [InlineData("http://[::1]/", "127.0.0.1", false)]
    [InlineData("http://[::ffff:127.0.0.1]/", "127.0.0.1", false)]
    [InlineData("http://[0:0:0:0:0:0:0:1]:80/", "[::1]", true)]
    [InlineData("http://api.github.com@evil.org/", "api.github.com", false)]
    [InlineData("http://api.github.com\\@evil.org/", "evil.org", false)]
    public void A_host_is_matched_exactly(string url, string allowed, bool expected) =>
        Assert.Equal(expected, Record.Exception(() => HostRule.Check(new Uri(url), [allowed])) is null);

    [Fact]
    public async Task Follows_a_redirect_to_an_allowed_host_without_the_secrets_of_the_first()
    {
        var payload = JsonSerializer.Serialize(
            new
            {
                url = Url(One, "/to?url=" + Uri.EscapeDataString(Url(Two, "/hello"))),
                headers = new Dictionary<string, string>
                {
                    ["Authorization"] = "Bearer secret",
                    ["X-Api-Key"] = "secret",
                    ["Accept"] = "text/plain",
                },
            }
        );

        var result = await Allowed(One, Two).With(payload).By(Handler);

        Assert.Equal("hello", result.GetProperty("body").GetString());
        Assert.Equal(["Bearer secret", ""], Seen.Select(request => request.Authorization.ToString()));
        Assert.Equal(["secret", ""], Seen.Select(request => request["X-Api-Key"].ToString()));
        Assert.Equal(["text/plain", "text/plain"], Seen.Select(request => request.Accept.ToString()));
    }

    [Fact]
    public async Task Refuses_a_redirect_to_a_host_that_is_not_listed()
    {
        Assert.Equal(
            "host_not_allowed",
            (await Allowed(One).With(Get(One, "/to?url=" + Uri.EscapeDataString(Url(Two, "/hello")))).FaultOf(Handler)).Code
        );
        Assert.Single(Seen);
    }

    [Fact]
    public async Task Headers_dropped_for_another_host_stay_dropped_when_that_host_redirects_back()
    {
        var back = Url(Two, "/to?url=" + Uri.EscapeDataString(Url(One, "/hello")));
        var headers = new Dictionary<string, string> { ["Authorization"] = "Bearer secret" };

        await Allowed(One, Two)
            .With(JsonSerializer.Serialize(new { url = Url(One, "/to?url=" + Uri.EscapeDataString(back)), headers }))
            .By(Handler);

        Assert.Equal(["Bearer secret", "", ""], Seen.Select(request => request.Authorization.ToString()));
    }

    [Theory]
    [InlineData("POST")]
    [InlineData("PUT")]
    [InlineData("PATCH")]
    [InlineData("DELETE")]
    public async Task Call_with_an_unsafe_method_does_not_follow_redirects(string method)
    {
        foreach (var (status, to) in new[] { (307, Two), (308, Two), (307, One), (308, One) })
        {
            Seen.Clear();
            var payload = JsonSerializer.Serialize(
                new
                {
                    method,
                    url = Url(One, $"/to/{status}?url=" + Uri.EscapeDataString(Url(to, "/charge"))),
                    body = new { amount = 42 },
                }
            );

            // Each call is a new attempt: the receiver answered that it has changed nothing.
            var fault = await Allowed(One, Two).With(payload).FaultOf(Handler);

            Assert.Equal(("redirect_refused", Dispatcher.Worker.FaultClass.Terminal), (fault.Code, fault.FaultClass));
            Assert.Contains(Host(to), fault.Message, StringComparison.Ordinal);
            Assert.Single(Seen);
        }
    }

    [Theory]
    [InlineData("http://user:secret@{host}/hello", "redirect_refused")]
    [InlineData("file:///etc/passwd", "scheme_not_allowed")]
    [InlineData("gopher://{host}/", "scheme_not_allowed")]
    [InlineData("//127.0.0.1:1/hello", "host_not_allowed")]
    [InlineData("http://2130706433:1/hello", "host_not_allowed")]
    [InlineData("http://[::1]/hello", "host_not_allowed")]
    public async Task Redirect_to_an_address_that_may_not_be_called_is_refused(string to, string code)
    {
        var location = Uri.EscapeDataString(to.Replace("{host}", Host(Two), StringComparison.Ordinal));

        Assert.Equal(code, (await Allowed(One, Two).With(Get(One, "/to?url=" + location)).FaultOf(Handler)).Code);
        Assert.Single(Seen);
    }

    [Fact]
    public async Task Refuses_a_circle_of_redirects()
    {
        One.MapGet("/circle", () => Results.Redirect("/circle"));

        Assert.Equal("too_many_redirects", (await Allowed(One).With(Get(One, "/circle")).FaultOf(Handler)).Code);
    }

    [Theory]
    [InlineData(503)]
    [InlineData(501)]
    [InlineData(425)]
    [InlineData(404)]
    public async Task Failed_call_reports_its_status_without_a_fault_class(int status)
    {
        var fault = await Allowed(One).With(Get(One, $"/status/{status}")).FaultOf(Handler);

        Assert.Equal(($"http:{status}", null, TimeSpan.FromSeconds(7)), (fault.Code, fault.FaultClass, fault.RetryAfter));
    }

    [Fact]
    public async Task Long_answer_is_cut_and_marked_and_binary_answer_is_base64()
    {
        var big = await Allowed(One)
            .Constrained(new Constraints { AllowedHosts = [Host(One)], MaxOutputBytes = 2000 })
            .With(Get(One, "/big"))
            .By(Handler);
        var bytes = await _run.With(Get(One, "/bytes")).By(Handler);

        Assert.True(big.GetProperty("truncated").GetBoolean());
        Assert.Equal(("base64", "/wAB"), (bytes.GetProperty("encoding").GetString(), bytes.GetProperty("body").GetString()));
    }

    [Fact]
    public async Task Call_with_an_unsafe_method_happens_once_over_all_attempts_and_carries_its_key()
    {
        var run = Allowed(One).With(Post("/charge"));

        var first = await run.By(Handler);
        var second = await run.Attempt(2).By(Handler);

        Assert.Equal("""charged {"amount":42}""", first.GetProperty("body").GetString());
        Assert.Equal(first.GetRawText(), second.GetRawText());
        Assert.EndsWith(":call", Assert.Single(Seen)["Idempotency-Key"].ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Aborted_call_is_in_doubt_unless_the_host_honours_the_key()
    {
        var run = Allowed(One).With(Post("/break"));
        await run.FaultOf(Handler);

        await Assert.ThrowsAsync<EffectInDoubtException>(() => run.Attempt(2).By(Handler));
        _run.Settings.HostsThatHonourKeys.Add(Host(One));
        await run.Attempt(3).FaultOf(Handler);

        Assert.Equal(2, Seen.Count);
        Assert.Single(Seen.Select(request => request["Idempotency-Key"].ToString()).Distinct());
    }

    [Fact]
    public async Task Refused_call_may_be_repeated()
    {
        var run = Allowed(One).With(Post("/status/503"));
        await run.FaultOf(Handler);
        await run.Attempt(2).FaultOf(Handler);

        Assert.Equal(2, Seen.Count);
    }

    [Theory]
    [InlineData("""{"url": "http://user:secret@h/"}""")]
    [InlineData("""{"url": "/relative"}""")]
    [InlineData("""{"url": "http://h/", "method": "CONNECT"}""")]
    [InlineData("""{"url": "http://h/", "headers": {"Host": "x"}}""")]
    [InlineData("""{"url": "http://h/", "headers": {"X": "a\r\nY: b"}}""")]
    [InlineData("""{"url": "http://h/", "headers": {"idempotency-key": "mine"}}""")]
    [InlineData("""{"url": "http://h/", "body": {}}""")]
    public async Task Refuses_a_bad_payload(string payload) =>
        Assert.Equal("bad_payload", (await _run.Constrained(new Constraints { AllowedHosts = ["h"] }).With(payload).FaultOf(Handler)).Code);

    private ARun Allowed(params WebApplication[] servers) => _run.Constrained(new Constraints { AllowedHosts = [.. servers.Select(Host)] });

    private string Post(string path) =>
        JsonSerializer.Serialize(
            new
            {
                method = "POST",
                url = Url(One, path),
                body = new { amount = 42 },
            }
        );
}
