using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.StoreTests.Storage;

/// <summary>Reading returns what was written.</summary>
public abstract class RoundTripTests(StoreKind kind) : StoreTest(kind)
{
    private static readonly string[] GivenByTheStore = [nameof(Job.CreatedAt), nameof(Job.UpdatedAt), nameof(Job.FinishedAt)];

    [Fact]
    public void The_full_job_leaves_no_column_at_its_default()
    {
        var full = AJob.Full();
        var least = Least() with { PolicyHash = "" };

        var same = typeof(Job)
            .GetProperties()
            .Where(property => Text(property.GetValue(full)) == Text(property.GetValue(least)))
            .Select(property => property.Name);

        Assert.Equal(GivenByTheStore.Append(nameof(Job.Version)).Order(), same.Order());
    }

    [Fact]
    public async Task Every_column_of_a_job_comes_back_as_accepted()
    {
        var full = AJob.Full();

        AssertSame(full, await StoredAsync(full));
    }

    [Fact]
    public async Task Job_read_without_its_payload_has_every_other_column()
    {
        var stored = await StoredAsync(AJob.Full());

        var read = await ReadAsync(db => db.Jobs.Where(job => job.JobId == stored.JobId).WithoutPayload().SingleAsync(Stop));

        Assert.Equivalent(stored with { Payload = [] }, read, strict: true);
    }

    [Fact]
    public async Task Every_column_that_is_null_comes_back_as_null()
    {
        var least = Least();

        AssertSame(least, await StoredAsync(least));
    }

    [Fact]
    public async Task Every_live_column_comes_back_as_moved()
    {
        var stored = await StoredAsync(AJob.New());
        var full = AJob.Full() with { State = JobState.Held };
        var move = new Move(stored, full);

        await MovedAsync(move);

        // A move never changes the submitted facts.
        AssertSame(
            move.After with
            {
                JobId = stored.JobId,
                Labels = stored.Labels,
                RiskTags = stored.RiskTags,
                Payload = stored.Payload,
                IdempotencyKey = stored.IdempotencyKey,
                WorkflowId = stored.WorkflowId,
                CostTokens = stored.CostTokens,
                CostUsdMicros = stored.CostUsdMicros,
                NotAfter = stored.NotAfter,
                JobHash = stored.JobHash,
                ReplyTo = stored.ReplyTo,
                CorrelationId = stored.CorrelationId,
                TraceParent = stored.TraceParent,
            },
            await JobAsync(stored.JobId)
        );
    }

    [Fact]
    public async Task A_move_can_clear_every_live_column()
    {
        // Without an approval, because the step of an approval needs a row.
        var full = await StoredAsync(AJob.Full() with { Version = 0, State = JobState.Held, ApprovalRound = 0 });
        var cleared = full with
        {
            State = JobState.Accepted,
            DueAt = null,
            Constraints = null,
            Pool = null,
            RunLimitUs = null,
            HeartbeatUs = null,
            StartBy = null,
            RunId = null,
            Worker = null,
            ClaimedBy = null,
            RunUntil = null,
            CancelRequested = false,
            Result = null,
            ResultTruncated = false,
            Fault = null,
            FaultClass = null,
            Rules = [],
        };

        await MovedAsync(new Move(full, cleared));

        AssertSame(cleared with { Version = 1 }, await JobAsync(full.JobId));
    }

    [Fact]
    public async Task Every_state_and_verdict_comes_back()
    {
        var jobs = Enum.GetValues<JobState>()
            .SelectMany(state => Enum.GetValues<Verdict>().Select(verdict => AJob.New() with { State = state, Verdict = verdict }))
            .ToList();

        await Store.AcceptAsync([.. jobs.Select(AnAcceptance.Of)], null, Stop);

        var stored = (await JobsAsync()).ToDictionary(job => job.JobId);
        Assert.All(jobs, job => AssertSame(job, stored[job.JobId]));
    }

    [Fact]
    public async Task A_large_payload_comes_back_byte_by_byte()
    {
        var payload = new byte[1_048_576];
        new Random(1).NextBytes(payload);

        Assert.Equal(payload, (await StoredAsync(AJob.New() with { Payload = payload })).Payload);
    }

    [Fact]
    public async Task Every_column_of_a_message_comes_back()
    {
        var message = AMessage.New();
        var bare = new OutboxMessage
        {
            MessageId = Guid.CreateVersion7(),
            Exchange = "",
            RoutingKey = "dispatcher.dispatch",
            Mandatory = false,
            Type = "dispatch",
            Body = [],
        };

        await Store.RecordAsync([], [message, bare], Stop);

        var stored = await OutboxAsync();
        Assert.Equal(Text(message), Text(stored.Single(m => m.MessageId == message.MessageId) with { NextAt = 0 }));
        Assert.Equal(Text(bare), Text(stored.Single(m => m.MessageId == bare.MessageId) with { NextAt = 0 }));
    }

    [Fact]
    public async Task Store_sets_its_times()
    {
        var before = await Store.NowAsync(Stop);

        var stored = await StoredAsync(AJob.New() with { CreatedAt = 1, UpdatedAt = 2 });

        var after = await Store.NowAsync(Stop);
        Assert.InRange(stored.CreatedAt, before, after);
        Assert.InRange(stored.UpdatedAt, before, after);
        Assert.All(await TimelineAsync(stored.JobId), entry => Assert.InRange(entry.At, before, after));
    }

    [Fact]
    public async Task Clock_of_the_store_is_near_the_clock_of_the_machine()
    {
        var there = await Store.NowAsync(Stop);

        var here = Dispatcher.Base.Timestamps.Micros(DateTimeOffset.UtcNow);
        Assert.InRange(there, here - 2_000_000, here + 50_000);
    }

    private static Job Least() =>
        new()
        {
            JobId = Guid.CreateVersion7(),
            Principal = "p",
            Topic = "t",
            Labels = new Dictionary<string, string>(),
            RiskTags = [],
            Payload = [],
            PolicyHash = AJob.Policy,
        };

    private static void AssertSame(Job expected, Job seen)
    {
        foreach (var property in typeof(Job).GetProperties().Where(property => !GivenByTheStore.Contains(property.Name)))
        {
            Assert.True(
                Text(property.GetValue(expected)) == Text(property.GetValue(seen)),
                $"{property.Name} was written as {Text(property.GetValue(expected))} and read as {Text(property.GetValue(seen))}."
            );
        }
    }

    private static string Text(object? value) => JsonSerializer.Serialize(value);
}

public sealed class PostgresRoundTripTests() : RoundTripTests(StoreKind.Postgres);

public sealed class SqliteRoundTripTests() : RoundTripTests(StoreKind.Sqlite);
