using System.Text;
using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Dispatcher.UnitTests.Hosting;
using Dispatcher.UnitTests.Policies;
using Dispatcher.Web;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.UnitTests.Enforcement;

/// <summary>A person pins and unpins a bundle over HTTP while the folder changes.</summary>
public sealed class PinTests
{
    private const string Allow = "id: a, match: {topic: test.run}, decision: ALLOW";
    private const string Deny = "id: a, match: {topic: test.run}, decision: DENY";
    private const string Ask = "id: a, match: {topic: test.run}, decision: REQUIRE_APPROVAL";

    [Fact]
    public async Task Changed_folder_is_in_force_after_the_second_reading_and_logged_once()
    {
        await using var server = await AServer.MigratedAsync();
        var hash = Write(server, Allow);
        await ReadAsync(server, times: 1);
        Assert.Equal("", server.Get<CurrentBundle>().InForce.Hash);

        await ReadAsync(server, times: 3);

        Assert.Equal(hash, server.Get<CurrentBundle>().InForce.Hash);
        var happened = Assert.Single(await EventsAsync(server));
        Assert.Equal(
            ("policy_activated", "policy-folder", hash, null),
            (happened.Event, happened.Principal, happened.PolicyHash, happened.JobId)
        );
        Assert.EndsWith("in force before: none", happened.Reason, StringComparison.Ordinal);
    }

    /// <summary>If two servers share a folder, the slow one must not put an earlier state in force after a later one.</summary>
    [Fact]
    public async Task Reading_overtaken_by_another_activation_changes_nothing()
    {
        await using var server = await AServer.MigratedAsync();
        var mine = Write(server, Allow);
        await ReadAsync(server, times: 1);
        var other = ABundle.WithRules(Deny).Build();
        await server
            .Get<IStore>()
            .ActivateAsync(
                _ => new Activation
                {
                    Hash = other.Hash,
                    Archive = other.Archive,
                    Actor = "policy-folder",
                    Reason = "tried",
                },
                Stop
            );

        await ReadAsync(server, times: 1);
        await server.Get<CurrentBundle>().OnceAsync(Stop);
        Assert.Equal(other.Hash, server.Get<CurrentBundle>().InForce.Hash);

        // The folder holds the same bundle after that activation.
        await ReadAsync(server, times: 1);
        Assert.Equal(mine, server.Get<CurrentBundle>().InForce.Hash);
    }

    [Fact]
    public async Task Pin_is_in_force_at_once_and_no_folder_replaces_it()
    {
        await using var server = await AServer.MigratedAsync();
        var first = Write(server, Allow);
        await ReadAsync(server);
        var second = Write(server, Deny);
        await ReadAsync(server);

        var (status, pinned) = await ActivateAsync(server, first[..8]);
        Assert.Equal(
            (StatusCodes.Status200OK, first, true, "ada"),
            (
                status,
                pinned.GetProperty("hash").GetString(),
                pinned.GetProperty("pinned").GetBoolean(),
                pinned.GetProperty("actor").GetString()
            )
        );
        Assert.Equal(first, server.Get<CurrentBundle>().InForce.Hash);
        var third = Write(server, Ask);
        await ReadAsync(server);
        await server.Get<PolicyFolder>().StartAsync(Stop);
        Assert.Equal(first, server.Get<CurrentBundle>().InForce.Hash);

        var unpinned = (await UnpinAsync(server)).Body;

        Assert.Equal(
            (third, false, true),
            (
                unpinned.GetProperty("in_force").GetProperty("hash").GetString(),
                unpinned.GetProperty("in_force").GetProperty("pinned").GetBoolean(),
                unpinned.GetProperty("returned_to_folder").GetBoolean()
            )
        );
        Assert.Equal(third, server.Get<CurrentBundle>().InForce.Hash);
        Assert.Equal(
            [("policy-folder", first), ("policy-folder", second), ("ada", first), ("ada", third)],
            (await EventsAsync(server)).Select(happened => (happened.Principal, happened.PolicyHash))
        );
    }

    [Fact]
    public async Task Unpin_with_a_broken_folder_keeps_the_bundle_until_the_folder_is_valid()
    {
        await using var server = await AServer.MigratedAsync();
        var first = Write(server, Allow);
        await ReadAsync(server);
        var second = Write(server, Deny);
        await ReadAsync(server);
        await ActivateAsync(server, first);
        Break(server);

        var unpinned = (await UnpinAsync(server)).Body;

        Assert.Equal(
            (first, false),
            (unpinned.GetProperty("in_force").GetProperty("hash").GetString(), unpinned.GetProperty("returned_to_folder").GetBoolean())
        );
        Assert.NotEqual(0, unpinned.GetProperty("folder").GetProperty("errors").GetArrayLength());

        // The bundle from before the break counts as new: otherwise the folder could not return to it.
        Assert.Equal(second, Write(server, Deny));
        await ReadAsync(server);
        Assert.Equal(second, server.Get<CurrentBundle>().InForce.Hash);
    }

    [Fact]
    public async Task Unpin_without_a_pin_is_refused()
    {
        await using var server = await AServer.MigratedAsync();
        Write(server, Allow);
        await ReadAsync(server);

        Assert.Equal(StatusCodes.Status409Conflict, (await UnpinAsync(server)).Status);
        Assert.Single(await EventsAsync(server));
    }

    [Fact]
    public async Task Pin_of_an_unloadable_bundle_is_refused_with_every_error()
    {
        await using var server = await AServer.MigratedAsync();
        var inForce = Write(server, Allow);
        await ReadAsync(server);
        var archive = JsonSerializer.SerializeToUtf8Bytes(
            new { v = 1, files = new[] { new { path = "rules/a.yaml", content = Encoding.UTF8.GetBytes("version: v1\nrulez: 1\n") } } }
        );
        await server.StoreAsync(new StoredBundle { Hash = new string('a', 64), Archive = archive });

        var (status, problem) = await ActivateAsync(server, new string('a', 64));

        Assert.Equal(StatusCodes.Status409Conflict, status);
        Assert.True(AServer.Errors(problem).Count() > 1, problem.ToString());
        Assert.Contains(AServer.Errors(problem), error => error.Contains("rules/a.yaml", StringComparison.Ordinal));
        Assert.Equal(inForce, server.Get<CurrentBundle>().InForce.Hash);
    }

    [Theory]
    [InlineData("aaaaaaaa", StatusCodes.Status409Conflict)]
    [InlineData("aaaaaaaab", StatusCodes.Status404NotFound)]
    [InlineData("aaaaaaa", StatusCodes.Status400BadRequest)]
    [InlineData("aaaaaaa%", StatusCodes.Status400BadRequest)]
    [InlineData("AAAAAAAA", StatusCodes.Status400BadRequest)]
    [InlineData("aaaaaaaa\n", StatusCodes.Status400BadRequest)]
    public async Task Pin_with_an_unknown_or_ambiguous_hash_is_refused(string hash, int expected)
    {
        await using var server = await AServer.MigratedAsync();
        await server.StoreAsync(
            new StoredBundle { Hash = new string('a', 64), Archive = [] },
            new StoredBundle { Hash = new string('a', 63) + "b", Archive = [] }
        );

        Assert.Equal(expected, (await ActivateAsync(server, hash)).Status);
    }

    [Fact]
    public async Task Status_shows_the_bundle_in_force_the_folder_and_the_stored_bundles()
    {
        await using var server = await AServer.MigratedAsync();
        var hash = Write(server, Allow);
        await ReadAsync(server);
        Break(server);
        await ReadAsync(server, times: 1);
        await server.StoreAsync([
            .. Enumerable
                .Range(1, 60)
                .Select(n => new StoredBundle
                {
                    Hash = $"{n:x64}",
                    Archive = [],
                    FirstActivatedAt = n,
                }),
        ]);

        var shown = (await server.AskAsync("GET", "/api/policies/", ACaller.With(Role.Approver))).Body;

        Assert.Equal(
            (hash, 1, false),
            (
                shown.GetProperty("in_force").GetProperty("hash").GetString(),
                shown.GetProperty("in_force").GetProperty("serial").GetInt32(),
                shown.GetProperty("in_force").GetProperty("pinned").GetBoolean()
            )
        );
        var folder = shown.GetProperty("folder");
        Assert.Equal((server.Policies, JsonValueKind.Null), (folder.GetProperty("path").GetString(), folder.GetProperty("hash").ValueKind));
        Assert.StartsWith("rules/test.yaml", folder.GetProperty("errors")[0].GetProperty("where").GetString(), StringComparison.Ordinal);
        var bundles = shown.GetProperty("bundles").EnumerateArray().Select(bundle => bundle.GetProperty("hash").GetString()).ToList();
        Assert.Equal([hash, .. Enumerable.Range(0, 49).Select(n => $"{60 - n:x64}")], bundles);
    }

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private static string Write(AServer server, string rule) => ABundle.WithRules(rule).WriteTo(server.Policies).Build().Hash;

    private static void Break(AServer server) =>
        File.WriteAllText(Path.Combine(server.Policies, "rules", "test.yaml"), "version: v1\nrules: [");

    private static async Task ReadAsync(AServer server, int times = 2)
    {
        for (var i = 0; i < times; i++)
        {
            await server.Get<PolicyFolder>().OnceAsync(Stop);
        }
    }

    private static Task<(int Status, JsonElement Body)> ActivateAsync(AServer server, string hash) =>
        server.AskAsync("POST", "/api/policies/activate", ACaller.With(Role.Admin, "ada"), body: JsonSerializer.Serialize(new { hash }));

    private static Task<(int Status, JsonElement Body)> UnpinAsync(AServer server) =>
        server.AskAsync("POST", "/api/policies/unpin", ACaller.With(Role.Admin, "ada"));

    private static async Task<IReadOnlyList<JobEvent>> EventsAsync(AServer server)
    {
        await using var db = await server.DatabaseAsync();
        var messages = await db.Outbox.AsNoTracking().Where(message => message.Type == MessageTypes.Event).ToListAsync(Stop);
        return
        [
            .. messages
                .Where(message => message.RoutingKey.EndsWith(".policy", StringComparison.Ordinal))
                .OrderBy(message => message.MessageId)
                .Select(message => JsonSerializer.Deserialize(message.Body, WireJson.Default.JobEvent)!),
        ];
    }
}
