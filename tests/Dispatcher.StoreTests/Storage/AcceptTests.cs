using Dispatcher.Contracts;
using Dispatcher.Jobs;

namespace Dispatcher.StoreTests.Storage;

/// <summary>A submission is stored as a whole or not at all, and each identity once.</summary>
public abstract class AcceptTests(StoreKind kind) : StoreTest(kind)
{
    private static readonly bool[] Either = [false, true];
    private static readonly string[] Identities = ["id", "key"];

    [Fact]
    public async Task Stores_a_job_with_its_timeline_and_its_messages()
    {
        var acceptance = AnAcceptance.Of(AJob.New("key"));

        var committed = await AcceptAsync(acceptance);

        Assert.Equal([acceptance.JobId], committed.Jobs);
        Assert.Equal(AJob.Policy, committed.ActiveHash);
        Assert.Equal("jobs 1, denials 0, timeline 2, outbox 1, dead_letters 0", await CountsAsync());
        var entry = Assert.Single(await TimelineAsync(acceptance.JobId));
        Assert.Equal((TimelineKinds.Accepted, 0, "billing"), (entry.Kind, entry.Attempt, entry.Actor));
        Assert.Equal(acceptance.Entry.Detail, entry.Detail);
        Assert.Equal(acceptance.Outbox[0].MessageId, Assert.Single(await OutboxAsync()).MessageId);
    }

    [Fact]
    public async Task Stores_a_job_that_expired_before_it_was_read_as_ended()
    {
        var job = AJob.New() with { State = JobState.Expired };
        var accepted = AnAcceptance.Of(job);
        var end = accepted.Entry with { Kind = TimelineKinds.Expired };

        var committed = await AcceptAsync(accepted with { Entry = accepted.Entry with { Kind = TimelineKinds.Accepted }, End = end });

        Assert.Equal([job.JobId], committed.Jobs);
        Assert.Equal([TimelineKinds.Accepted, TimelineKinds.Expired], (await TimelineAsync(job.JobId)).Select(entry => entry.Kind));
        var stored = Assert.Single(await JobsAsync());
        Assert.Equal(JobState.Expired, stored.State);
        Assert.NotNull(stored.FinishedAt);
    }

    [Fact]
    public async Task Stores_a_denial_with_its_timeline_and_its_messages_and_no_job()
    {
        var acceptance = AnAcceptance.Denying(AJob.Full());

        var committed = await AcceptAsync(acceptance);

        Assert.Equal([acceptance.JobId], committed.Jobs);
        Assert.Equal("jobs 0, denials 1, timeline 2, outbox 1, dead_letters 0", await CountsAsync());
        var denial = Assert.Single(await DenialsAsync());
        Assert.Equivalent(acceptance.Denial! with { At = denial.At }, denial, strict: true);
        Assert.Equal(TimelineKinds.Denied, Assert.Single(await TimelineAsync(acceptance.JobId)).Kind);
    }

    /// <summary>All in one database, since each costs time: every case has a key of its own.</summary>
    [Fact]
    public async Task Known_id_or_key_changes_nothing()
    {
        foreach (
            var (firstDenied, same, secondDenied) in from one in Either
            from same in Identities
            from other in Either
            select (one, same, other)
        )
        {
            var of = $"{same} of a {(firstDenied ? "denial" : "job")}, {(secondDenied ? "denied" : "accepted")} now";
            var first = AJob.New(of);
            await AcceptAsync(Of(first, firstDenied));
            var before = await CountsAsync();
            var second = AJob.New(same == "key" ? of : $"other {of}", same == "id" ? first.JobId : null, """{"another":1}""");

            var committed = await AcceptAsync(Of(second, secondDenied));

            Assert.True(committed.Jobs.Count == 0, $"The {of}: stored.");
            Assert.Equal(before, await CountsAsync());
            Assert.DoesNotContain(await JobsAsync(), job => job.JobHash == second.JobHash);
        }
    }

    [Fact]
    public async Task One_of_two_ids_with_an_equal_key_in_a_batch_is_stored()
    {
        foreach (var (oneDenied, otherDenied) in from one in Either from other in Either select (one, other))
        {
            var key = $"{oneDenied} {otherDenied}";
            var one = Of(AJob.New(key), oneDenied);
            var other = Of(AJob.New(key, payload: "[]"), otherDenied);
            var before = await StoredCountAsync();

            var committed = await AcceptAsync(one, other);

            var stored = Assert.Single(committed.Jobs);
            Assert.Equal(before + 1, await StoredCountAsync());
            Assert.Single(await TimelineAsync(stored));
            var (winner, loser) = stored == one.JobId ? (one, other) : (other, one);
            var sent = (await OutboxAsync()).Select(message => message.MessageId).ToList();
            Assert.Contains(winner.Outbox[0].MessageId, sent);
            Assert.DoesNotContain(loser.Outbox[0].MessageId, sent);
        }
    }

    [Fact]
    public async Task Equal_keys_of_two_principals_do_not_conflict()
    {
        await AcceptAsync(AnAcceptance.Of(AJob.New("key")), AnAcceptance.Denying(AJob.New("denied")));

        var committed = await AcceptAsync(
            AnAcceptance.Of(AJob.New("key").By("shipping")),
            AnAcceptance.Of(AJob.New("denied").By("shipping"))
        );

        Assert.Equal(2, committed.Jobs.Count);
    }

    [Fact]
    public async Task Jobs_without_a_key_do_not_conflict()
    {
        var committed = await AcceptAsync(
            AnAcceptance.Of(AJob.New()),
            AnAcceptance.Of(AJob.New()),
            AnAcceptance.Denying(AJob.New()),
            AnAcceptance.Denying(AJob.New())
        );

        Assert.Equal(4, committed.Jobs.Count);
    }

    [Fact]
    public async Task Decision_of_another_bundle_is_not_stored_and_the_bundle_in_force_is_returned()
    {
        var stale = AnAcceptance.Of(AJob.New().Under("policy-0"));
        var staleDenial = AnAcceptance.Denying(AJob.New().Under("policy-0"));
        var current = AnAcceptance.Of(AJob.New());

        var committed = await AcceptAsync(stale, staleDenial, current);

        Assert.Equal([current.JobId], committed.Jobs);
        Assert.Equal(AJob.Policy, committed.ActiveHash);
        Assert.Equal("jobs 1, denials 0, timeline 2, outbox 1, dead_letters 0", await CountsAsync());
    }

    [Fact]
    public async Task Without_a_bundle_in_force_no_decision_of_a_bundle_is_stored()
    {
        await Database.ExecuteAsync("delete from active_bundle");

        var committed = await AcceptAsync(AnAcceptance.Of(AJob.New()));

        Assert.Empty(committed.Jobs);
        Assert.Equal("", committed.ActiveHash);
    }

    [Fact]
    public async Task Without_a_bundle_in_force_a_denial_without_a_bundle_is_stored()
    {
        await Database.ExecuteAsync("delete from active_bundle");

        var committed = await AcceptAsync(AnAcceptance.Denying(AJob.New().Under("")));

        Assert.Single(committed.Jobs);
    }

    [Fact]
    public async Task Dispatch_signal_is_stored_in_any_case()
    {
        var signal = AMessage.New();

        var committed = await Store.AcceptAsync([AnAcceptance.Of(AJob.New().Under("policy-0"))], signal, Stop);

        Assert.Empty(committed.Jobs);
        Assert.Equal(signal.MessageId, Assert.Single(await OutboxAsync()).MessageId);
    }

    /// <summary>
    /// Both are new when they are looked up; only one may be stored, though nothing but the store knows that they are one.
    /// </summary>
    [Theory]
    [InlineData("id")]
    [InlineData("key")]
    public async Task Concurrent_job_and_denial_of_one_identity_are_not_both_stored(string same)
    {
        for (var round = 0; round < 20; round++)
        {
            var job = AJob.New($"key-{round}");
            var denied = AJob.New(same == "key" ? job.IdempotencyKey : $"other-{round}", same == "id" ? job.JobId : null, "[]");

            var committed = await AtOnceAsync(2, i => AcceptAsync(Of(i == 0 ? job : denied, denied: i == 1)));

            Assert.Equal(1, committed.Sum(c => c.Jobs.Count));
        }

        Assert.Equal(20, await StoredCountAsync());
    }

    private async Task<long> StoredCountAsync() => await Database.CountAsync("jobs") + await Database.CountAsync("denials");

    private static Acceptance Of(Job job, bool denied) => denied ? AnAcceptance.Denying(job) : AnAcceptance.Of(job);

    private Task<Dispatcher.Storage.Committed> AcceptAsync(params Acceptance[] batch) => Store.AcceptAsync(batch, null, Stop);
}

public sealed class PostgresAcceptTests() : AcceptTests(StoreKind.Postgres);

public sealed class SqliteAcceptTests() : AcceptTests(StoreKind.Sqlite);
