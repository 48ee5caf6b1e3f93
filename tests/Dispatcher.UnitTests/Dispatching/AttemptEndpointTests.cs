using Dispatcher.UnitTests.Hosting;
using Dispatcher.Web;

namespace Dispatcher.UnitTests.Dispatching;

public sealed class AttemptEndpointTests
{
    [Theory]
    [InlineData("", "0 given; allowed are 1 to 256.", "Send at least one.")]
    [InlineData("257", "257 given; allowed are 1 to 256.", "Split the request.")]
    [InlineData("null", "An item is null.", "Remove the null items.")]
    public async Task Claim_with_unusable_permits_is_refused_with_the_matching_fix(string permits, string message, string fix)
    {
        await using var server = await AServer.MigratedAsync();
        var items = permits == "257" ? string.Join(',', Enumerable.Repeat("\"x\"", 257)) : permits;

        var (status, problem) = await server.AskAsync(
            "POST",
            "/api/attempts/claim",
            ACaller.With(Role.Worker),
            body: $$"""{"worker": "host/1", "claim_id": "0198c5a2-0000-7000-8000-000000000000", "permits": [{{items}}]}"""
        );

        var error = Assert.Single(problem.GetProperty("errors").EnumerateArray());
        Assert.Equal((400, message, fix), (status, error.GetProperty("message").GetString(), error.GetProperty("fix").GetString()));
    }
}
