using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Intake;
using Dispatcher.Jobs;

namespace Dispatcher.StoreTests.Intake;

/// <summary>An identity belongs to its principal. Another principal cannot take it.</summary>
public abstract class IdentityTests(StoreKind kind) : StoreTest(kind)
{
    private const string Topic = "job.exec.shell: { pool: shell, owner: team }";
    private const string Rules =
        "{ id: all, match: { topic: job.exec.shell }, decision: ALLOW }, "
        + "{ id: none, match: { topic: job.exec.shell, labels: { env: prod } }, decision: DENY }";

    private static readonly bool[] Either = [false, true];

    [Fact]
    public async Task Principal_gets_its_job_when_another_principal_took_its_id_first()
    {
        await using var writers = await Writers.OnAsync(Database);
        await writers.BundleAsync(Topic, Store, Stop, Rules);
        foreach (
            var (squatterDenied, ownerDenied, byKey) in from one in Either
            from two in Either
            from three in Either
            select (one, two, three)
        )
        {
            var key = $"{squatterDenied} {ownerDenied} {byKey}";
            var id = byKey ? UuidV5.Of("key", "shipping", key) : Guid.CreateVersion7();
            var squatter = await SubmitAsync(writers, AJob.New(id: id, payload: "\"squatter\""), squatterDenied);
            var owners = AJob.New(byKey ? key : null, id).By("shipping");

            var first = await SubmitAsync(writers, owners, ownerDenied);
            var again = await SubmitAsync(writers, owners, ownerDenied);

            Assert.Equal((IntakeOutcome.Stored, IntakeOutcome.Known), (first.Outcome, again.Outcome));
            Assert.Equal(ownerDenied ? JobState.Denied : JobState.Accepted, first.Answer!.State);
            Assert.Equal((JobIds.Derived("shipping", id), first.Answer.JobId), (first.Answer.JobId, again.Answer!.JobId));
            Assert.Equal(id, squatter.Answer!.JobId);
            Assert.All(await TimelineAsync(first.Answer.JobId), entry => Assert.Equal("shipping", entry.Actor));

            // The first principal keeps the id. Other content of the owner with the same identity is a conflict.
            var squatterAgain = await SubmitAsync(writers, AJob.New(id: id, payload: "\"squatter\""), squatterDenied);
            var otherContent = await SubmitAsync(writers, AJob.New(byKey ? key : null, id, "[]").By("shipping"), ownerDenied);
            Assert.Equal((IntakeOutcome.Known, IntakeOutcome.Conflict), (squatterAgain.Outcome, otherContent.Outcome));
        }
    }

    [Fact]
    public async Task Concurrent_principals_with_one_id_get_one_job_each()
    {
        await using var writers = await Writers.OnAsync(Database);
        await writers.BundleAsync(Topic, Store, Stop, Rules);
        for (var round = 0; round < 5; round++)
        {
            var id = Guid.CreateVersion7();

            var results = await AtOnceAsync(8, i => SubmitAsync(writers, AJob.New(id: id).By($"principal-{i % 4}"), denied: i % 4 == 3));

            Assert.Equal(4, results.Count(result => result.Outcome == IntakeOutcome.Stored));
            Assert.Equal(4, results.Count(result => result.Outcome == IntakeOutcome.Known));
            Assert.Equal(4, results.Select(result => result.Answer!.JobId).Distinct().Count());
        }
    }

    private static async Task<IntakeResult> SubmitAsync(Writers writers, Job job, bool denied)
    {
        var labels = new Dictionary<string, string> { ["env"] = denied ? "prod" : "dev" };
        var labelled = job with { Labels = labels };
        var submission = Submission.Of(labelled, new SubmissionSource { Channel = "amqp", Principal = job.Principal });
        return await writers.JobIntake.AcceptAsync(await writers.EvaluateAsync(submission.Job, Stop), submission, Stop);
    }
}

public sealed class PostgresIdentityTests() : IdentityTests(StoreKind.Postgres);

public sealed class SqliteIdentityTests() : IdentityTests(StoreKind.Sqlite);
