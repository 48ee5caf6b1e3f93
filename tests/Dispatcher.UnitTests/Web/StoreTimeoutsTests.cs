using Dispatcher.UnitTests.Hosting;
using Dispatcher.Web;

namespace Dispatcher.UnitTests.Web;

public sealed class StoreTimeoutsTests
{
    /// <summary>Endpoints that do not write need no limit.</summary>
    private static readonly string[] Readers = ["/api/policies/explain", "/api/policies/diff"];

    [Fact]
    public async Task Every_writing_endpoint_limits_its_wait_for_the_store()
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
