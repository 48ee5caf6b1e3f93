using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.Jobs;

namespace Dispatcher.StoreTests.Storage;

/// <summary>Which bundle is in force, and that nothing commits under another.</summary>
public abstract class ActivationTests(StoreKind kind) : StoreTest(kind)
{
    [Fact]
    public async Task Activation_stores_the_bundle_and_a_timeline_entry()
    {
        await Store.ActivateAsync(_ => AnActivation.Of("policy-2", "anna") with { Archive = new byte[] { 0, 0xFF, 7 } }, Stop);

        var row = Assert.Single(await ReadAsync(db => Task.FromResult(db.ActiveBundle.ToList())));
        Assert.Equal((2L, "policy-2", "anna"), (row.Serial, row.Hash, row.Actor));
        Assert.Equal(
            [0, 0xFF, 7],
            (await ReadAsync(db => Task.FromResult(db.Bundles.Single(bundle => bundle.Hash == "policy-2")))).Archive
        );
        var entry = (await TimelineAsync(Guid.Empty))[^1];
        Assert.Equal((TimelineKinds.BundleActivated, "anna", "policy-2"), (entry.Kind, entry.Actor, Hash(entry)));
    }

    [Fact]
    public async Task Bundle_that_is_activated_again_is_stored_once_and_gets_a_new_serial()
    {
        await ActivateAsync("policy-2");
        await ActivateAsync(AJob.Policy);

        var row = await ReadAsync(db => Task.FromResult(db.ActiveBundle.Single()));
        Assert.Equal((3L, AJob.Policy), (row.Serial, row.Hash));
        Assert.Equal(2, await Database.CountAsync("bundles"));
    }

    [Fact]
    public async Task Concurrent_activations_each_get_one_serial()
    {
        await AtOnceAsync(
            8,
            async i =>
            {
                await ActivateAsync($"policy-{i % 3}");
                return i;
            }
        );

        Assert.Equal(9, (await ReadAsync(db => Task.FromResult(db.ActiveBundle.Single()))).Serial);
    }

    [Fact]
    public async Task Activation_entry_names_actor_reason_and_previous_bundle_and_its_message_is_stored()
    {
        var message = AMessage.New();
        await Store.ActivateAsync(
            before => AnActivation.Of("policy-2", "anna") with { Before = before!.Hash, Pinned = true, Outbox = [message] },
            Stop
        );

        var line = JsonDocument.Parse((await TimelineAsync(Guid.Empty))[^1].Detail).RootElement;
        Assert.Equal(
            ("policy-2", 2, AJob.Policy, true, "tried"),
            (
                line.GetProperty("policy_hash").GetString(),
                line.GetProperty("serial").GetInt64(),
                line.GetProperty("before").GetString(),
                line.GetProperty("pinned").GetBoolean(),
                line.GetProperty("reason").GetString()
            )
        );
        Assert.Equal(message.MessageId, Assert.Single(await OutboxAsync()).MessageId);
        Assert.True((await ReadAsync(db => Task.FromResult(db.ActiveBundle.Single()))).Pinned);
    }

    [Fact]
    public async Task Declined_activation_changes_nothing()
    {
        var before = await CountsAsync();

        Assert.Null(await Store.ActivateAsync(_ => null, Stop));

        Assert.Equal((before, 1L), (await CountsAsync(), (await ReadAsync(db => Task.FromResult(db.ActiveBundle.Single()))).Serial));
    }

    [Fact]
    public async Task Stored_bundle_needs_no_archive()
    {
        await ActivateAsync("policy-2");

        await Store.ActivateAsync(_ => AnActivation.Of(AJob.Policy) with { Archive = null }, Stop);

        Assert.Equal(AJob.Policy, (await ReadAsync(db => Task.FromResult(db.ActiveBundle.Single()))).Hash);
        Assert.Equal([1, 2, 3], (await ReadAsync(db => Task.FromResult(db.Bundles.Single(bundle => bundle.Hash == AJob.Policy)))).Archive);
    }

    /// <summary>
    /// Folders propose bundles while people pin and unpin. Each decision sees a row that no other process changes before its commit.
    /// </summary>
    [Fact(Timeout = 60_000)]
    public async Task Folder_cannot_replace_a_pinned_bundle()
    {
        await AtOnceAsync(
            6,
            async i =>
            {
                for (var n = 0; n < 40; n++)
                {
                    await Store.ActivateAsync(
                        i < 2
                            ? _ => AnActivation.Of(PolicyOf(n), "anna") with { Pinned = n % 2 == 0 }
                            : before => before!.Pinned ? null : AnActivation.Of(PolicyOf(n), "folder"),
                        Stop
                    );
                }

                return i;
            }
        );

        var pinned = false;
        var byFolders = 0;
        foreach (var entry in await TimelineAsync(Guid.Empty))
        {
            byFolders += entry.Actor == "folder" ? 1 : 0;
            Assert.False(pinned && entry.Actor == "folder", $"Line {entry.EntryId}: a folder changed what was pinned.");
            pinned = JsonDocument.Parse(entry.Detail).RootElement.GetProperty("pinned").GetBoolean();
        }

        Assert.NotEqual(0, byFolders);
    }

    /// <summary>
    /// Activations, submissions and dispatches run at once. Entry ids are assigned while the lock is held, so their order shows which
    /// bundle was in force at each commit.
    /// </summary>
    [Fact(Timeout = 60_000)]
    public async Task No_move_commits_under_a_bundle_that_is_no_longer_in_force()
    {
        var (activations, dispatched) = (0, 0);
        await AtOnceAsync(
            6,
            async i =>
            {
                for (var n = i; Volatile.Read(ref activations) < 60 || Volatile.Read(ref dispatched) < 30; n++)
                {
                    if (i < 2)
                    {
                        await ActivateAsync(PolicyOf(n));
                        Interlocked.Increment(ref activations);
                    }
                    else
                    {
                        Interlocked.Add(ref dispatched, await AcceptAndDispatchAsync(n));
                    }
                }

                return i;
            }
        );

        var entries = await ReadAsync(db => Task.FromResult(db.Timeline.OrderBy(entry => entry.EntryId).ToList()));
        var inForce = "";
        foreach (var entry in entries)
        {
            inForce = entry.Kind == TimelineKinds.BundleActivated ? Hash(entry) : inForce;
            var judgedBy = entry.Kind == TimelineKinds.BundleActivated ? inForce : entry.Actor;
            Assert.True(judgedBy == inForce, $"Line {entry.EntryId}: {entry.Kind} under {judgedBy} while {inForce} was in force.");
        }
    }

    private static string PolicyOf(int n) => n % 2 == 0 ? AJob.Policy : "policy-2";

    private static string Hash(TimelineEntry entry) => JsonDocument.Parse(entry.Detail).RootElement.GetProperty("policy_hash").GetString()!;

    /// <summary>Answers how many were dispatched. Each line names the bundle it was decided by as its actor.</summary>
    private async Task<int> AcceptAndDispatchAsync(int n)
    {
        var acceptance = AnAcceptance.Of(AJob.New().Under(PolicyOf(n)));
        var entry = acceptance.Entry with { Actor = PolicyOf(n) };
        var committed = await Store.AcceptAsync([acceptance with { Entry = entry }], null, Stop);
        if (committed.Jobs.Count == 0)
        {
            return 0;
        }

        var job = await JobAsync(acceptance.JobId);
        var dispatch = new Move(job, job with { State = JobState.Dispatched, PolicyHash = PolicyOf(n) })
        {
            Entry = entry with { Kind = TimelineKinds.Dispatched },
        };
        return (await Store.MoveAsync([dispatch], Stop)).Jobs.Count;
    }
}

public sealed class PostgresActivationTests() : ActivationTests(StoreKind.Postgres);

public sealed class SqliteActivationTests() : ActivationTests(StoreKind.Sqlite);
