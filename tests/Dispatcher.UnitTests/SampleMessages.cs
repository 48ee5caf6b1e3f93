using System.Reflection;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Dispatcher.Contracts;
using Dispatcher.Dispatching;

namespace Dispatcher.UnitTests;

/// <summary>One full and one bare example of every message on the wire.</summary>
internal static class SampleMessages
{
    private static readonly Guid Id = Guid.Parse("0197f3a0-7c1e-7b7a-9f53-0d4c2e6a1b11");
    private static readonly Guid Run = Guid.Parse("0197f3a0-0000-7000-8000-000000000001");
    private static readonly Guid Permit = Guid.Parse("0197f3a0-0000-7000-8000-000000000002");
    private static readonly DateTimeOffset At = new(2026, 4, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly string Hash = new('a', 64);

    private static readonly Constraints Limits = new()
    {
        AllowedHosts = ["api.github.com"],
        AllowedCommands = ["git"],
        TimeoutMs = 5_000,
        MaxOutputBytes = 1_024,
    };
    private static readonly Fault Broken = new()
    {
        Class = "transient",
        Type = "System.IO.IOException",
        Message = "The disk is full.",
        Code = "exit:1",
        RetryAfterMs = 500,
    };

    /// <summary>The name and the JSON of each example.</summary>
    public static IEnumerable<(string Name, string Json)> All() =>
        Bare().Concat(Full()).OrderBy(sample => sample.Name, StringComparer.Ordinal);

    /// <summary>A full work message, as the server writes it.</summary>
    public static string Work() => Encoding.UTF8.GetString(WorkBody.Of(FullJob().Stored, true));

    /// <summary>A dispatched job that uses every member of a work message.</summary>
    public static AJob FullJob() =>
        AJob.OnTopic("job.exec.shell")
            .WithLabel("env", "dev")
            .WithLabel("who", "Zoë \"Z\"")
            .WithPayload("""{ "command": ["git","--version"] }""")
            .Dispatched(attempt: 2)
            .With(job =>
                job with
                {
                    Constraints = new Constraints { AllowedHosts = ["api.github.com"], TimeoutMs = 5_000 },
                }
            );

    /// <summary>The wire names of a record's members.</summary>
    public static IReadOnlyList<string> NamesOf<T>() =>
        [.. typeof(T).GetProperties().Select(property => property.GetCustomAttribute<JsonPropertyNameAttribute>()!.Name)];

    private static IEnumerable<(string Name, string Json)> Full()
    {
        yield return Sample(
            "full",
            WireJson.Default.SubmitJob,
            new SubmitJob
            {
                JobId = Id,
                Topic = "job.exec.shell",
                Labels = new Dictionary<string, string> { ["env"] = "dev" },
                RiskTags = ["egress"],
                Payload = Element("""{"command":["git","--version"]}"""),
                IdempotencyKey = "invoice-17",
                WorkflowId = "nightly",
                EstimatedCost = new EstimatedCost { Tokens = 1_200, UsdMicros = 3_000 },
                NotAfter = At,
            }
        );
        yield return Sample(
            "held",
            WireJson.Default.JobDecision,
            new JobDecision
            {
                JobId = Id,
                State = JobState.Held,
                Verdict = Verdict.RequireApproval,
                Rules = ["prod"],
                Reason = "production",
                Constraints = Limits,
                PolicyHash = Hash,
                JobHash = Hash,
                ApprovalId = $"{Id}-1",
            }
        );
        yield return Sample(
            "malformed",
            WireJson.Default.Refused,
            new Refused
            {
                Code = "malformed",
                DeadLetterId = Id,
                Errors =
                [
                    new InputError
                    {
                        Code = "missing_topic",
                        Where = "/topic",
                        Message = "Every job has a topic.",
                        Fix = "Add it.",
                    },
                ],
            }
        );
        yield return Sample(
            "dead lettered",
            WireJson.Default.JobEvent,
            new JobEvent
            {
                EventId = Run,
                Event = "dead_lettered",
                JobId = Id,
                Topic = "job.exec.shell",
                Principal = "billing",
                State = JobState.DeadLettered,
                Attempt = 2,
                At = At,
                PolicyHash = Hash,
                Reason = "The disk is full.",
                FaultClass = "transient",
            }
        );
        yield return Sample(
            "succeeded, at reply_to",
            WireJson.Default.JobEvent,
            new JobEvent
            {
                EventId = Run,
                Event = "succeeded",
                JobId = Id,
                Topic = "job.exec.shell",
                Principal = "billing",
                State = JobState.Succeeded,
                Attempt = 1,
                At = At,
                PolicyHash = Hash,
                Reason = "development",
                Result = Element("""{"truncated":true,"bytes":70000,"preview":"[1"}"""),
                ResultTruncated = true,
            }
        );
        yield return Sample(
            "policy activated",
            WireJson.Default.JobEvent,
            new JobEvent
            {
                EventId = Run,
                Event = "policy_activated",
                Topic = "policy",
                Principal = "ada",
                At = At,
                PolicyHash = Hash,
                Reason = $"pinned; in force before: {new string('b', 64)}",
            }
        );
        yield return Sample(
            "granted and taken",
            WireJson.Default.ClaimAnswer,
            new ClaimAnswer
            {
                Claims =
                [
                    new Claim
                    {
                        Status = ClaimStatus.Granted,
                        RunId = Run,
                        PermitId = Permit,
                    },
                    new Claim { Status = ClaimStatus.Taken, PermitId = Permit },
                ],
            }
        );
        yield return Sample(
            "faulted",
            WireJson.Default.OutcomeBatch,
            new OutcomeBatch { Outcomes = [Outcome(OutcomeKind.Faulted) with { Fault = Broken }] }
        );
        yield return Sample(
            "full",
            WireJson.Default.DeadLetterCopy,
            new DeadLetterCopy
            {
                DeadLetterId = Run,
                JobId = Id,
                Topic = "job.exec.shell",
                Principal = "billing",
                Owner = "platform",
                FaultClass = "transient",
                Fault = Broken,
                Attempt = 2,
                At = At,
            }
        );
    }

    private static IEnumerable<(string Name, string Json)> Bare()
    {
        yield return Sample("bare", WireJson.Default.SubmitJob, new SubmitJob { Topic = "job.exec.shell" });
        yield return Sample(
            "accepted",
            WireJson.Default.JobDecision,
            new JobDecision
            {
                JobId = Id,
                State = JobState.Accepted,
                Verdict = Verdict.Allow,
                Rules = [],
                Reason = "ok",
                PolicyHash = Hash,
                JobHash = Hash,
            }
        );
        yield return Sample("conflict", WireJson.Default.Refused, new Refused { Code = "conflict", Errors = [] });
        yield return Sample(
            "refused",
            WireJson.Default.JobEvent,
            new JobEvent
            {
                EventId = Run,
                Event = "refused",
                Topic = "unknown",
                Principal = "unknown",
                At = At,
                PolicyHash = "",
                Reason = "no",
            }
        );
        yield return Sample(
            "all",
            WireJson.Default.PermitClaims,
            new PermitClaims
            {
                Jti = Permit,
                Sub = Id,
                Att = 1,
                Aud = "shell",
                Exp = 1_775_044_860,
                Bh = Hash,
            }
        );
        yield return Sample(
            "all",
            WireJson.Default.ClaimRequest,
            new ClaimRequest
            {
                Worker = "host-17/4711",
                ClaimId = Run,
                Permits = ["a.b.c"],
            }
        );
        yield return Sample(
            "all",
            WireJson.Default.HeartbeatRequest,
            new HeartbeatRequest { Worker = "host-17/4711", Runs = [new Run { JobId = Id, RunId = Run }] }
        );
        yield return Sample(
            "registration",
            WireJson.Default.HeartbeatRequest,
            new HeartbeatRequest
            {
                Worker = "host-17/4711",
                Runs = [],
                Registration = new WorkerRegistration
                {
                    Pool = "shell",
                    Version = "1",
                    Topics = ["job.exec.shell"],
                    Enforcers = ["timeout_ms"],
                    Capacity = 4,
                    ClockAheadMs = -600_000,
                    Dropped = 3,
                    Dropping = "unreadable_body",
                },
            }
        );
        yield return Sample(
            "all",
            WireJson.Default.HeartbeatAnswer,
            new HeartbeatAnswer
            {
                Cancelled = [Run],
                Fenced = [],
                Now = At,
            }
        );
        yield return Sample(
            "succeeded and returned",
            WireJson.Default.OutcomeBatch,
            new OutcomeBatch
            {
                Outcomes = [Outcome(OutcomeKind.Succeeded) with { Result = Element("""{"n":1}""") }, Outcome(OutcomeKind.Returned)],
            }
        );
        yield return Sample(
            "bare",
            WireJson.Default.DeadLetterCopy,
            new DeadLetterCopy
            {
                DeadLetterId = Run,
                JobId = Id,
                Topic = "a.b",
                Principal = "billing",
                Owner = "platform",
                FaultClass = "lost",
                Attempt = 1,
                At = At,
            }
        );
        yield return Sample(
            "malformed",
            WireJson.Default.DeadLetterCopy,
            new DeadLetterCopy
            {
                DeadLetterId = Run,
                Topic = "a.b",
                Principal = "billing",
                Owner = "dispatcher",
                FaultClass = "malformed",
                ErrorCodes = ["unknown_field"],
                Attempt = 0,
                At = At,
            }
        );
    }

    private static AttemptOutcome Outcome(OutcomeKind kind) =>
        new()
        {
            JobId = Id,
            Attempt = 1,
            RunId = Run,
            Worker = "host-17/4711",
            PermitId = Permit,
            Kind = kind,
            StartedAt = At,
            EndedAt = At.AddMilliseconds(1_500),
        };

    private static (string Name, string Json) Sample<T>(string which, JsonTypeInfo<T> type, T message) =>
        ($"{typeof(T).Name} ({which})", JsonSerializer.Serialize(message, type));

    private static JsonElement Element(string json) => JsonSerializer.Deserialize<JsonElement>(json);
}
