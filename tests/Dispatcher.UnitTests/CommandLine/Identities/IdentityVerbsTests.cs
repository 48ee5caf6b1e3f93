using System.Net;
using System.Net.Sockets;

namespace Dispatcher.UnitTests.CommandLine.Identities;

/// <summary>Wrong use and unusable management APIs. Journeys run the verbs against a real broker.</summary>
public sealed class IdentityVerbsTests
{
    private const string Setting = "DISPATCHER_RABBITMQ_MANAGEMENT";

    [Theory]
    [InlineData("create Billing --kind monitoring", "is not a name")]
    [InlineData("create a/b --kind monitoring", "is not a name")]
    [InlineData("revoke a/b", "is not a name")]
    [InlineData("create billing --kind boss", "allowed are server, producer, masstransit-producer, worker")]
    [InlineData("create billing", "--kind")]
    [InlineData("create billing --kind producer", "the kind producer needs --topic")]
    [InlineData("create billing --kind producer --topic job.#", "--topic 'job.#' is not allowed")]
    [InlineData("create billing --kind producer --topic a.b --pool shell", "the kind producer has no --pool")]
    [InlineData("create w --kind worker --pool Shell", "--pool 'Shell' is not allowed")]
    [InlineData("create w --kind worker --pool a --pool b --effects", "--effects needs the kind worker and one --pool")]
    [InlineData("create m --kind monitoring --effects", "--effects needs the kind worker and one --pool")]
    [InlineData("create public --kind server", "the name is also that of a database role")]
    [InlineData("create pg_x --kind worker --pool shell --effects", "the name is also that of a database role")]
    public async Task Wrong_use_is_refused_before_any_request(string words, string said)
    {
        var outcome = await RunAsync(words, new() { [Setting] = "http://admin:secret@127.0.0.1:1" });

        Assert.Equal(2, outcome.Code);
        Assert.Contains(said, outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task All_mistakes_are_named_at_once()
    {
        var outcome = await RunAsync("create w --kind worker --topic a.b --effects", []);

        Assert.Contains("the kind worker needs --pool", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("has no --topic", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("--effects needs", outcome.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, "No management API of the broker is given")]
    [InlineData("mq:15672", "is not an http or https address with user and password")]
    [InlineData("http://mq:15672", "is not an http or https address with user and password")]
    [InlineData("amqp://admin:hushhush@mq", "is not an http or https address with user and password")]
    public async Task Wrong_setting_is_named_without_its_secret(string? value, string said)
    {
        var outcome = await RunAsync("list", value is null ? [] : new() { [Setting] = value });

        Assert.Equal(2, outcome.Code);
        Assert.Contains(Setting, outcome.Error, StringComparison.Ordinal);
        Assert.Contains(said, outcome.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("hushhush", outcome.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(401, "", "user admin is refused", "Correct user and password")]
    [InlineData(403, "", "user admin is no administrator", "rabbitmqctl set_user_tags admin administrator")]
    [InlineData(404, "", "does not exist", "the address is that of the management API")]
    [InlineData(503, "starting", "starting", "Correct what the answer names")]
    [InlineData(200, "<html>", "the answer is not a JSON list", "Give the address of the management API")]
    [InlineData(200, "{}", "the answer is not a JSON list", "Give the address of the management API")]
    public async Task Refusal_of_the_management_API_names_setting_and_fix(int status, string body, string said, string fix)
    {
        await using var server = (await CannedServer.StartAsync()).Answers("GET /api/users", status, body);

        var outcome = await RunAsync(
            "list",
            new() { [Setting] = server.Url.Replace("//", "//admin:hush%2Fhush@", StringComparison.Ordinal) }
        );

        Assert.Equal((3, ""), (outcome.Code, outcome.Output));
        Assert.Contains($"{Setting}: {server.Url}/ cannot be used", outcome.Error, StringComparison.Ordinal);
        Assert.Contains(said, outcome.Error, StringComparison.Ordinal);
        Assert.Contains(fix, outcome.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("hush", outcome.Error, StringComparison.Ordinal);
        Assert.Equal("Basic YWRtaW46aHVzaC9odXNo", Assert.Single(server.Requests).Authorization);
    }

    [Fact]
    public async Task Missing_plugin_is_named()
    {
        using var closed = new TcpListener(IPAddress.Loopback, 0);
        closed.Start();
        var port = ((IPEndPoint)closed.LocalEndpoint).Port;
        closed.Stop();

        var outcome = await RunAsync("check", new() { [Setting] = $"http://admin:hushhush@127.0.0.1:{port}" });

        Assert.Equal(3, outcome.Code);
        Assert.Contains("rabbitmq-plugins enable rabbitmq_management", outcome.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("hushhush", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Names_are_escaped_in_requests()
    {
        await using var server = (await CannedServer.StartAsync()).Answers("GET /api/users", 200, "[]");

        await RunAsync(
            "list --rabbitmq amqp://mq/a%2F..%2Fb",
            new() { [Setting] = server.Url.Replace("//", "//admin:x@", StringComparison.Ordinal) }
        );

        Assert.Equal("GET /api/vhosts/a%2F..%2Fb/permissions", server.Requests[^1].Line);
    }

    private static Task<CallOutcome> RunAsync(string words, Dictionary<string, string> variables) =>
        CommandLineCall.RunAsync(["identity", .. words.Split(' ')], variables, "");
}
