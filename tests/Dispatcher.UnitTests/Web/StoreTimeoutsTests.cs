using Dispatcher.UnitTests.Hosting;
using Dispatcher.Web;

namespace Dispatcher.UnitTests.Web;

public sealed class StoreTimeoutsTests
{
    /// <summary>They write nothing, and may take as long as they take.</summary>
    private static readonly string[] Readers = ["/api/policies/explain", "/api/policies/diff"];

    [Fact]
    public async Task Every_endpoint_that_writes_limits_how_long_it_waits_for_the_store()
    {
        await using var server = await AServer.MigratedAsync();

        var writers = server
            .Endpoints.Where(endpoint =>
                endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods.Any(method => method is not ("GET" or "HEAD")) == true
            )
            .ToList();

        Assert.True(writers.Count > 8, $"{writers.Count}");
        Assert.Equal(
            Readers.Order(),
            writers
                .Where(endpoint => endpoint.Metadata.GetMetadata<StoreTimeout>() is null)
                .Select(endpoint => endpoint.RoutePattern.RawText!)
                .Order()
        );
    }
}
