using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Dispatcher.UnitTests.Hosting;
using Dispatcher.UnitTests.Policies;

namespace Dispatcher.UnitTests.Enforcement;

/// <summary>The bundle in force when the row names one that this process cannot use.</summary>
public sealed class CurrentBundleTests
{
    private static readonly ABundle Allowing = ABundle.WithRules("id: a, match: {topic: test.run}, decision: ALLOW");
    private static readonly ABundle Other = ABundle.WithRules("id: b, match: {topic: test.run}, decision: ALLOW");

    [Theory]
    [InlineData("no archive")]
    [InlineData("the archive of another bundle")]
    public async Task Unreadable_bundle_in_force_denies_and_the_previous_one_is_not_used(string how)
    {
        await using var server = await AServer.MigratedAsync();
        await server.Get<StoreClock>().OnceAsync(Stop);
        var before = Allowing.Build();
        await ActivateAsync(server, before.Hash, before.Archive);
        Assert.Equal(Verdict.Allow, (await EvaluateAsync(server, AJob.ToTest().Stored)).Verdict);
        var next = Other.Build();
        await server.Get<IStore>().ActivateAsync(_ => Named(next.Hash, how == "no archive" ? "x"u8.ToArray() : before.Archive), Stop);

        await server.Get<CurrentBundle>().OnceAsync(Stop);

        Assert.Equal((next.Hash, null), (server.Get<CurrentBundle>().InForce.Hash, server.Get<CurrentBundle>().InForce.Bundle));
        var decision = await EvaluateAsync(server, AJob.ToTest().Stored);
        Assert.Equal((Verdict.Deny, "no_bundle", next.Hash), (decision.Verdict, decision.Reason, decision.PolicyHash));
        Assert.NotEqual("ok", server.Get<Dispatcher.Api.Readiness>().Checks["bundle"]);
    }

    /// <summary>A pin, an explanation and a comparison by hash must use the bundle of that hash.</summary>
    [Fact]
    public async Task Stored_bundle_with_a_changed_archive_cannot_be_loaded()
    {
        await using var server = await AServer.MigratedAsync();
        var hash = Other.Build().Hash;
        await server.StoreAsync(new StoredBundle { Hash = hash, Archive = Allowing.Build().Archive.ToArray() });

        var found = await server.Get<StoredBundles>().FindAsync(hash, "/hash", Stop);

        Assert.Equal((null, true), (found.Bundle, found.IsUnloadable));
    }

    /// <summary>Row and bundle look as after an activation; only the timeline shows that there was none.</summary>
    [Theory]
    [InlineData("update active_bundle set hash = (select hash from bundles where hash <> active_bundle.hash)", "last activation")]
    [InlineData("update active_bundle set serial = serial + 1", "last activation")]
    [InlineData(
        "update active_bundle set serial = 1, hash = (select hash from bundles where hash <> active_bundle.hash)",
        "last activation"
    )]
    [InlineData(
        "insert into timeline (job_id, at, kind, attempt, actor, detail) "
            + "values ('00000000-0000-0000-0000-000000000000', 1, 'bundle_activated', 0, 'x', x'7b00ff')",
        "last activation"
    )]
    [InlineData("delete from active_bundle", "active_bundle is empty")]
    [InlineData("drop trigger timeline_no_delete; delete from timeline", "no activation")]
    public async Task Row_that_the_timeline_contradicts_puts_no_bundle_in_force(string sql, string why)
    {
        await using var server = await AServer.MigratedAsync();
        await server.Get<StoreClock>().OnceAsync(Stop);
        var (first, second) = (Allowing.Build(), Other.Build());
        await ActivateAsync(server, first.Hash, first.Archive);
        await ActivateAsync(server, second.Hash, second.Archive);
        Assert.Equal(Verdict.Allow, (await EvaluateAsync(server, AJob.ToTest().Stored)).Verdict);
        await using (var db = await server.DatabaseAsync())
        {
            await Microsoft.EntityFrameworkCore.RelationalDatabaseFacadeExtensions.ExecuteSqlRawAsync(db.Database, sql, Stop);
        }

        await server.Get<CurrentBundle>().OnceAsync(Stop);

        Assert.Null(server.Get<CurrentBundle>().InForce.Bundle);
        Assert.NotEqual("", server.Get<CurrentBundle>().InForce.Hash);
        Assert.Equal(
            (Verdict.Deny, "no_bundle"),
            ((await EvaluateAsync(server, AJob.ToTest().Stored)).Verdict, (await EvaluateAsync(server, AJob.ToTest().Stored)).Reason)
        );
        Assert.Contains(why, server.Get<Dispatcher.Api.Readiness>().Checks["bundle"], StringComparison.Ordinal);
        Assert.False(server.Get<Dispatcher.Api.Readiness>().IsReady);
        await ActivateAsync(server, second.Hash, second.Archive);
        Assert.Equal(
            (second.Hash, true),
            (server.Get<CurrentBundle>().InForce.Hash, server.Get<CurrentBundle>().InForce.Bundle is not null)
        );
    }

    [Theory]
    [InlineData(0, Verdict.Allow)]
    [InlineData(1, Verdict.Deny)]
    public async Task Gate_evaluates_the_next_attempt_and_counts_only_attempts_that_ran(int failed, Verdict expected)
    {
        await using var server = await AServer.MigratedAsync();
        await server.Get<StoreClock>().OnceAsync(Stop);
        var bundle = ABundle
            .WithRules(
                "id: a, match: {topic: test.run}, decision: ALLOW",
                "id: b, match: {topic: test.run, attempt_gte: 2}, decision: DENY"
            )
            .Build();
        await ActivateAsync(server, bundle.Hash, bundle.Archive);

        var decision = await EvaluateAsync(server, AJob.ToTest().Stored with { Attempt = 3, FailedAttempts = failed });

        Assert.Equal(expected, decision.Verdict);
    }

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private static Activation Named(string hash, ReadOnlyMemory<byte> archive) =>
        new()
        {
            Hash = hash,
            Archive = archive,
            Actor = "test",
            Reason = "for a test",
        };

    private static async Task ActivateAsync(AServer server, string hash, ReadOnlyMemory<byte> archive)
    {
        await server.Get<IStore>().ActivateAsync(_ => Named(hash, archive), Stop);
        await server.Get<CurrentBundle>().OnceAsync(Stop);
    }

    private static async Task<Dispatcher.Policies.Model.Decision> EvaluateAsync(AServer server, Job job) =>
        (await server.Get<PolicyGate>().EvaluateAsync(job with { JobHash = JobHash.Of(job) }, Hop.Dispatch, Stop)).Decision;
}
