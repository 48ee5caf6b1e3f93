using System.Text.Json;
using Dispatcher.Api;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Hosting;
using Dispatcher.Web;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.Extensions.Options;

namespace Dispatcher.UnitTests.Hosting;

/// <summary>How the HTTP API reads and writes JSON. An exception of the reader is answered with 400.</summary>
public sealed class HttpJsonTests
{
    [Theory]
    [InlineData(typeof(ClaimRequest), """{"worker":null,"claim_id":"0197f3a0-7c1e-7b7a-9f53-0d4c2e6a1b11","permits":[]}""")]
    [InlineData(typeof(ClaimRequest), """{"worker":"a/1","claim_id":"0197f3a0-7c1e-7b7a-9f53-0d4c2e6a1b11","permits":null}""")]
    [InlineData(typeof(ClaimRequest), """{"worker":"a/1","permits":[]}""")]
    [InlineData(typeof(HeartbeatRequest), """{"worker":"a/1","runs":null}""")]
    [InlineData(typeof(KeyRequest), """{"subject":null,"roles":[]}""")]
    [InlineData(typeof(KeyRequest), """{"subject":"billing","roles":null}""")]
    [InlineData(typeof(KeyRequest), """{"subject":"billing","roles":[],"surprise":1}""")]
    public async Task Request_without_a_required_member_is_refused(Type request, string json)
    {
        await using var server = AServer();

        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize(json, request, Options(server)));
    }

    [Fact]
    public async Task Deepest_accepted_payload_can_be_shown()
    {
        await using var server = AServer();
        var job = ASubmission.WithPayload(new string('[', JsonLimits.DeepestValue) + new string(']', JsonLimits.DeepestValue)).Job();

        var shown = JsonSerializer.Serialize(JobView.Of(job), Options(server));

        Assert.Contains(new string('[', JsonLimits.DeepestValue), shown, StringComparison.Ordinal);
    }

    private static JsonSerializerOptions Options(WebApplication server) =>
        server.Services.GetRequiredService<IOptions<JsonOptions>>().Value.SerializerOptions;

    private static WebApplication AServer() =>
        Server.Build(
            new ServerSettings
            {
                DataFolder = Path.Combine(Path.GetTempPath(), "never-opened"),
                PolicyFolder = "policies",
                Urls = "http://127.0.0.1:0",
                Worker = false,
            }
        );
}
