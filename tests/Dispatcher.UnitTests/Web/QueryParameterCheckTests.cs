using Dispatcher.UnitTests.Hosting;
using Dispatcher.Web;

namespace Dispatcher.UnitTests.Web;

/// <summary>A mistyped filter must not list everything.</summary>
public sealed class QueryParameterCheckTests
{
    [Theory]
    [InlineData("/api/jobs/", "?class=terminal", "?class", "Remove it.", "state, topic, principal, cursor, limit")]
    [InlineData("/api/jobs/", "?Stat=held", "?Stat", "Did you mean \"state\"?", "state, topic, principal, cursor, limit")]
    [InlineData("/api/dead-letters/", "?limt=5", "?limt", "Did you mean \"limit\"?", "cursor, limit")]
    [InlineData("/api/approvals/", "?mines=false", "?mines", "Did you mean \"mine\"?", "state, cursor, mine, limit")]
    [InlineData("/api/status", "?x=1", "?x", "Remove it.", "none")]
    [InlineData("/api/workers", "?pool=shell", "?pool", "Remove it.", "none")]
    [InlineData("/api/keys/", "?limit=1", "?limit", "Remove it.", "none")]
    public async Task Request_with_an_unknown_parameter_is_refused_with_the_nearest_name(
        string route,
        string query,
        string where,
        string fix,
        string allowed
    )
    {
        await using var server = await AServer.MigratedAsync();

        var (status, body) = await server.AskAsync("GET", route, ACaller.With(Role.Admin), query);

        Assert.Equal(StatusCodes.Status400BadRequest, status);
        var error = Assert.Single(body.GetProperty("errors").EnumerateArray());
        Assert.Equal(
            ("unknown_parameter", where, fix),
            (error.GetProperty("code").GetString(), error.GetProperty("where").GetString(), error.GetProperty("fix").GetString())
        );
        Assert.Contains($"allowed: {allowed}.", error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    /// <summary>The id belongs to the path, and so is unknown in the query.</summary>
    [Fact]
    public async Task Parameter_of_the_path_is_refused_in_the_query()
    {
        await using var server = await AServer.MigratedAsync();

        var (status, body) = await server.AskAsync(
            "GET",
            "/api/jobs/{jobId:guid}",
            ACaller.With(Role.Admin),
            "?jobId=1",
            Guid.Parse("0197f3a0-7c1e-7b7a-9f53-0d4c2e6a1b11")
        );

        Assert.Equal((StatusCodes.Status400BadRequest, "unknown_parameter ?jobId"), (status, Assert.Single(AServer.Errors(body))));
    }

    [Fact]
    public async Task Every_API_route_checks_its_query_parameters()
    {
        await using var server = await AServer.MigratedAsync();

        foreach (
            var endpoint in server.Endpoints.Where(endpoint => endpoint.RoutePattern.RawText!.StartsWith("/api", StringComparison.Ordinal))
        )
        {
            Assert.True(endpoint.Metadata.GetMetadata<Dispatcher.Web.ChecksQuery>() is not null, endpoint.DisplayName);
        }
    }

    [Fact]
    public async Task Known_parameters_are_accepted_in_any_case()
    {
        await using var server = await AServer.MigratedAsync();

        Assert.Equal(
            StatusCodes.Status200OK,
            (await server.AskAsync("GET", "/api/jobs/", ACaller.With(Role.Admin), "?STATE=held&limit=5")).Status
        );
    }
}
