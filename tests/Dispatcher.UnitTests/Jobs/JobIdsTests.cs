using System.Text;
using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.Jobs;
using Dispatcher.UnitTests.Hosting;
using Dispatcher.Web;

namespace Dispatcher.UnitTests.Jobs;

/// <summary>Two principals choose the same id: each sees its job under it, and no data of the other.</summary>
public sealed class JobIdsTests
{
    private static readonly AJob First = AJob.ToTest();

    private static readonly Guid Chosen = First.Stored.JobId;

    [Fact]
    public void Derived_id_has_version_8_and_is_the_same_for_one_principal()
    {
        var own = JobIds.Derived("shipping", Chosen);

        Assert.Equal((8, own), (own.Version, JobIds.Derived("shipping", Chosen)));
        Assert.True(JobIds.IsDerived(own));
        Assert.False(JobIds.IsDerived(UuidV5.Of("key", "shipping", "a")));
        Assert.Equal(3, new[] { own, JobIds.Derived("billing", Chosen), JobIds.Derived("shipping", own) }.Distinct().Count());
    }

    [Theory]
    [InlineData(Role.Producer, "billing", "first")]
    [InlineData(Role.Producer, "shipping", "own")]
    [InlineData(Role.Producer, "nobody", null)]
    [InlineData(Role.Operator, "ann", "first")]
    public async Task Each_principal_finds_its_own_job_by_the_id_that_it_chose(string role, string subject, string? seen)
    {
        await using var server = await AServer.MigratedAsync();
        var own = First.With(job => job with { JobId = JobIds.Derived("shipping", Chosen), Principal = "shipping" }).Stored;
        await server.StoreAsync(
            First.With(job => job with { Principal = "billing" }).Stored,
            own,
            Line(Chosen, "billing", "accepted"),
            Line(own.JobId, "shipping", "accepted")
        );
        var expected = seen == "own" ? own.JobId : Chosen;

        var (status, job) = await server.AskAsync("GET", "/api/jobs/{jobId:guid}", ACaller.With(role, subject), id: Chosen);
        var (_, timeline) = await server.AskAsync("GET", "/api/jobs/{jobId:guid}/timeline", ACaller.With(role, subject), id: Chosen);

        Assert.Equal(seen is null ? 404 : 200, status);
        if (seen is not null)
        {
            Assert.Equal(expected, job.GetProperty("job_id").GetGuid());
            Assert.Equal([seen == "own" ? "shipping" : "billing"], Actors(timeline));
        }
    }

    /// <summary>
    /// A refused submission, or one that was denied without a bundle, takes no id. Its timeline entry has the id that it named.
    /// </summary>
    [Fact]
    public async Task Principal_does_not_see_entries_of_others_under_its_id()
    {
        await using var server = await AServer.MigratedAsync();
        await server.StoreAsync(
            First.With(job => job with { Principal = "billing" }).Stored,
            Line(Chosen, "shipping", "denied"),
            Line(Chosen, "shipping", "refused"),
            Line(Chosen, "billing", "accepted"),
            Line(Chosen, "dispatcher", "denied")
        );

        var (_, own) = await server.AskAsync("GET", "/api/jobs/{jobId:guid}/timeline", ACaller.With(Role.Producer, "billing"), id: Chosen);
        var (_, all) = await server.AskAsync("GET", "/api/jobs/{jobId:guid}/timeline", ACaller.With(Role.Operator, "ann"), id: Chosen);

        Assert.Equal(["billing", "dispatcher"], Actors(own));
        Assert.Equal(["shipping", "shipping", "billing", "dispatcher"], Actors(all));
    }

    private static TimelineEntry Line(Guid jobId, string actor, string kind) =>
        new()
        {
            JobId = jobId,
            Kind = kind,
            Attempt = 0,
            Actor = actor,
            Detail = Encoding.UTF8.GetBytes("{}"),
        };

    private static IEnumerable<string> Actors(JsonElement timeline) =>
        timeline.GetProperty("items").EnumerateArray().Select(entry => entry.GetProperty("actor").GetString()!);
}
