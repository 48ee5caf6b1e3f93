using System.Text;
using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Intake;
using Dispatcher.Jobs;
using Dispatcher.Policies;
using Dispatcher.Recovery;
using Microsoft.Extensions.Options;

namespace Dispatcher.UnitTests;

/// <summary>Builds a stored job: by <c>billing</c>, accepted, without labels and tags and with an empty payload.</summary>
internal sealed record AJob(Job Stored)
{
    public static readonly DateTimeOffset Noon = new(2026, 4, 1, 12, 0, 0, TimeSpan.Zero);

    public static AJob OnTopic(string topic) =>
        new(
            new Job
            {
                JobId = Guid.Parse("0197f3a0-7c1e-7b7a-9f53-0d4c2e6a1b11"),
                Principal = "billing",
                Topic = topic,
                Labels = new SortedDictionary<string, string>(StringComparer.Ordinal),
                RiskTags = [],
                Payload = "{}"u8.ToArray(),
                State = JobState.Accepted,
                Version = 1,
            }
        );

    /// <summary>A job on the topic that the bundles of <see cref="Context"/> register.</summary>
    public static AJob ToTest() => OnTopic("test.run");

    public AJob With(Func<Job, Job> change) => new(change(Stored));

    public AJob In(JobState state) => With(job => job with { State = state });

    public AJob WithLabel(string name, string value) =>
        With(job =>
            job with
            {
                Labels = new SortedDictionary<string, string>(job.Labels.ToDictionary(), StringComparer.Ordinal) { [name] = value },
            }
        );

    public AJob WithPayload(string json) => With(job => job with { Payload = Encoding.UTF8.GetBytes(json) });

    public AJob CancelRequested() => With(job => job with { CancelRequested = true });

    /// <summary>Dispatched to pool <c>main</c>: to be claimed within a minute, with a run limit of two minutes.</summary>
    public AJob Dispatched(int attempt = 1) =>
        With(job =>
            job with
            {
                State = JobState.Dispatched,
                Attempt = attempt,
                Pool = "main",
                StartBy = Micros(Noon.AddMinutes(1)),
                RunLimitUs = 120_000_000,
                HeartbeatUs = 5_000_000,
                PolicyHash = new string('a', 64),
                JobHash = new string('b', 64),
            }
        );

    /// <summary>Claimed at noon by <c>host-1/17</c>.</summary>
    public AJob Running(int attempt = 1) =>
        Dispatched(attempt)
            .With(job =>
                job with
                {
                    State = JobState.Running,
                    RunId = Guid.Parse("0197f3a0-0000-7000-8000-000000000001"),
                    Worker = "host-1/17",
                    ClaimedBy = "main-worker",
                    RunUntil = Micros(Noon.AddMinutes(2)),
                }
            );

    public static long Micros(DateTimeOffset at) => Timestamps.Micros(at);

    /// <summary>
    /// The context of recovery and the sweep: a bundle whose registry entry of <c>test.run</c> is <paramref name="topic"/>, and the time.
    /// </summary>
    public static RecoveryContext Context(string topic, DateTimeOffset? now = null) =>
        new(Bundle(topic), Micros(now ?? Noon), TimeProvider.System);

    private static Bundle Bundle(string topic) => Policies.ABundle.WithRules().AndTopic(topic).Build();
}

/// <summary>Builds the outcome that a worker reports for the current run of a job.</summary>
internal static class AnOutcome
{
    public static AttemptOutcome Succeeded(AJob job, string? result = null) =>
        Of(job, OutcomeKind.Succeeded) with
        {
            Result = result is null ? null : JsonSerializer.Deserialize<JsonElement>(result),
        };

    public static AttemptOutcome Faulted(AJob job, string? faultClass = null, string? code = null, string message = "It broke.") =>
        Of(job, OutcomeKind.Faulted) with
        {
            Fault = new Fault
            {
                Class = faultClass,
                Type = "System.IO.IOException",
                Message = message,
                Code = code,
            },
        };

    public static AttemptOutcome Returned(AJob job) => Of(job, OutcomeKind.Returned);

    public static AttemptOutcome Of(AJob job, OutcomeKind kind) =>
        new()
        {
            JobId = job.Stored.JobId,
            Attempt = job.Stored.Attempt,
            RunId = job.Stored.RunId!.Value,
            Worker = job.Stored.Worker!,
            PermitId = Guid.Parse("0197f3a0-0000-7000-8000-000000000002"),
            Kind = kind,
            StartedAt = AJob.Noon,
            EndedAt = AJob.Noon.AddSeconds(1),
        };
}

/// <summary>Builds a submission over AMQP: by <c>billing</c>, with message id <c>m-1</c>. The routing key is not compared.</summary>
internal sealed record ASubmission(byte[] Body)
{
    public SubmissionSource Source { get; init; } =
        new()
        {
            Channel = "amqp",
            Principal = "billing",
            MessageId = "m-1",
        };

    public IntakeOptions Limits { get; init; } = new();

    public static ASubmission Of(string json) => new(Encoding.UTF8.GetBytes(json));

    /// <summary>On topic <c>job.repo.read</c>, with the members given, for example <c>"labels": {"env": "dev"}</c>.</summary>
    public static ASubmission With(string members) => Of($$"""{"topic":"job.repo.read",{{members}}}""");

    public static ASubmission WithPayload(string json) => With($"\"payload\":{json}");

    public ASubmission From(Func<SubmissionSource, SubmissionSource> change) => this with { Source = change(Source) };

    public (Submission? Submission, IReadOnlyList<InputError> Errors) Read()
    {
        var errors = new List<InputError>();
        var submission = new SubmissionReader(Options.Create(Limits)).Read(Body, Source, errors);
        return (submission, errors);
    }

    /// <summary>The job; fails the test when the submission is refused.</summary>
    public Job Job()
    {
        var (submission, errors) = Read();
        Assert.Empty(errors.Select(error => $"{error.Where}: {error.Message}"));
        return submission!.Job;
    }

    /// <summary>The errors as <c>code where</c>; fails the test when the submission is accepted.</summary>
    public IReadOnlyList<string> Refused()
    {
        var (submission, errors) = Read();
        Assert.Null(submission);
        return [.. errors.Select(error => $"{error.Code} {error.Where}")];
    }
}
