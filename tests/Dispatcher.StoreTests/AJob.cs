using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Intake;
using Dispatcher.Jobs;
using Dispatcher.Policies.Model;
using Dispatcher.Storage;

namespace Dispatcher.StoreTests;

/// <summary>
/// Builds a job as intake passes it to the store: evaluated under <see cref="Policy"/>, accepted, with principal <c>billing</c>.
/// </summary>
internal static class AJob
{
    /// <summary>Hash of the bundle that is in force when a test begins.</summary>
    public const string Policy = "policy-1";

    public static Job New(string? key = null, Guid? id = null, string payload = "{}") =>
        Hashed(
            new Job
            {
                JobId = id ?? Guid.CreateVersion7(),
                Principal = "billing",
                Topic = "job.exec.shell",
                Labels = new Dictionary<string, string> { ["env"] = "dev" },
                RiskTags = [],
                Payload = System.Text.Encoding.UTF8.GetBytes(payload),
                IdempotencyKey = key,
                State = JobState.Accepted,
                DueAt = long.MaxValue,
                Pool = "shell",
                Verdict = Verdict.Allow,
                Rules = ["allow-dev"],
                Reason = "allowed",
                PolicyHash = Policy,
                BasisHash = "basis",
            }
        );

    public static Job Under(this Job job, string policy) => job with { PolicyHash = policy };

    /// <summary>The same job with another principal.</summary>
    public static Job By(this Job job, string principal) => Hashed(job with { Principal = principal });

    public static Job DueAt(this Job job, long at) => job with { DueAt = at };

    /// <summary>A job with a value in every column that is not the default.</summary>
    public static Job Full() =>
        Hashed(
            New("clé \"1\"; drop table jobs") with
            {
                Labels = new Dictionary<string, string>
                {
                    ["quote\"'\\"] = "a\"b'c\\d\n\t",
                    ["unicode"] = "żółw 🐢 \u2028 مرحبا",
                    ["json"] = "{\"a\":[1]}",
                    ["empty"] = "",
                },
                RiskTags = ["egress", "ta\"g", "🐢"],
                Payload = [.. "{ \"sp\" :  1e2, \"\\u00e9\":null }"u8, 0xEF, 0xBB, 0xBF, 0x00, 0xFF],
                WorkflowId = "flow-ü",
                CostTokens = long.MaxValue,
                CostUsdMicros = 0,
                NotAfter = 4_102_444_800_000_000,
                ReplyTo = "reply.billing.1",
                CorrelationId = "corr'elation",
                TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                State = JobState.Held,
                ApprovalRound = 1,
                Attempt = 2,
                FailedAttempts = 1,
                ReadyAt = 4_102_444_500_000_000,
                OverallDeadline = 4_102_444_900_000_000,
                DueAt = 4_102_444_700_000_000,
                Verdict = Verdict.RequireApproval,
                Rules = ["a", "b,c", "d\"e"],
                Reason = "needs_approval: \"two\" people",
                Constraints = new Constraints
                {
                    AllowedHosts = ["api.github.com"],
                    AllowedCommands = [],
                    TimeoutMs = 5_000,
                    MaxOutputBytes = 0,
                },
                Pool = "shell",
                RunLimitUs = 60_000_000,
                HeartbeatUs = 5_000_000,
                StartBy = 4_102_444_600_000_000,
                RunId = Guid.CreateVersion7(),
                Worker = "host-1/🐢",
                ClaimedBy = "worker-key",
                RunUntil = 4_102_444_650_000_000,
                CancelRequested = true,
                Result = [.. "\"done\\u0000\""u8],
                ResultTruncated = true,
                Fault = new Fault
                {
                    Class = "transient",
                    Type = "System.IO.IOException",
                    Message = "line 1\nline \"2\" \u0000 🐢",
                    Code = "exit:1",
                    RetryAfterMs = 1,
                },
                FaultClass = "transient",
            }
        );

    private static Job Hashed(Job job) => job with { JobHash = JobHash.Of(job) };
}

/// <summary>Builds what the intake writer passes to the store.</summary>
internal static class AnAcceptance
{
    /// <summary>The job, its first timeline entry and one message.</summary>
    public static Acceptance Of(Job job) => With(job, Answer(job)) with { Job = job };

    /// <summary>The denial of the job, its timeline entry and one message.</summary>
    public static Acceptance Denying(Job job)
    {
        var denied = job with { State = JobState.Denied, Verdict = Verdict.Deny };
        var denial = new Denial
        {
            JobId = job.JobId,
            Principal = job.Principal,
            Topic = job.Topic,
            IdempotencyKey = job.IdempotencyKey,
            JobHash = job.JobHash,
            PolicyHash = job.PolicyHash,
            Labels = job.Labels,
            RiskTags = job.RiskTags,
            Payload = job.Payload,
            WorkflowId = job.WorkflowId,
        };
        return With(denied, Answer(denied)) with { Denial = denial };
    }

    private static Acceptance With(Job job, JobDecision answer)
    {
        var decision = new Decision
        {
            Verdict = job.Verdict,
            Rules = job.Rules,
            MatchedRules = job.Rules,
            Reason = job.Reason,
            PolicyHash = job.PolicyHash,
            BasisHash = job.BasisHash,
        };
        var source = new SubmissionSource
        {
            Channel = "amqp",
            Principal = job.Principal,
            MessageId = "m-1",
        };
        return new Acceptance
        {
            Entry = IntakeEntries.Submitted(
                WireNames.Of(job.State),
                job,
                Submission.Of(job, source),
                new AnEvaluated<Job>(job, decision, DateTimeOffset.UnixEpoch),
                answer
            ),
            Outbox = [AMessage.New()],
            Answer = answer,
        };
    }

    private static JobDecision Answer(Job job) =>
        new()
        {
            JobId = job.JobId,
            State = job.State,
            Verdict = job.Verdict,
            Rules = job.Rules,
            Reason = job.Reason,
            PolicyHash = job.PolicyHash,
            JobHash = job.JobHash,
            ApprovalId = job.State == JobState.Held ? Dispatcher.Jobs.Approval.NameOf(job.JobId, job.ApprovalRound) : null,
        };
}

/// <summary>Builds a message for the outbox.</summary>
internal static class AMessage
{
    public static OutboxMessage New() =>
        new()
        {
            MessageId = Guid.CreateVersion7(),
            Exchange = "dispatcher.events",
            RoutingKey = "accepted.billing.job",
            Mandatory = true,
            Type = "event",
            Body = [0, 1, 0xFF, .. "🐢"u8],
            Headers = new Dictionary<string, string> { ["he\"ader"] = "vå'lue" },
        };
}

/// <summary>Builds a dead letter: of a job, or of an unreadable message.</summary>
internal static class ADeadLetter
{
    public static DeadLetter Of(Job job) =>
        new()
        {
            DeadLetterId = Guid.CreateVersion7(),
            FaultClass = "terminal",
            Owner = "team",
            Topic = job.Topic,
            Principal = job.Principal,
            JobId = job.JobId,
            Attempt = job.Attempt,
            Fault = new Fault { Type = "E", Message = "it broke" },
        };

    public static DeadLetter Malformed() =>
        new()
        {
            DeadLetterId = Guid.CreateVersion7(),
            FaultClass = "malformed",
            Owner = "intake",
            Topic = "unknown",
            Principal = "billing",
            Errors =
            [
                new InputError
                {
                    Code = "bad_json",
                    Where = "body",
                    Message = "no \"JSON\" 🐢",
                    Fix = "send some",
                },
            ],
            Body = [0xC3, 0x28, 0x00],
            BodyLength = 3,
            BodySha256 = "ab",
        };
}

/// <summary>Builds changes of the bundle in force.</summary>
internal static class AnActivation
{
    public static Activation Of(string hash, string actor = "ops") =>
        new()
        {
            Hash = hash,
            Archive = new byte[] { 1, 2, 3 },
            Actor = actor,
            Reason = "tried",
        };
}

/// <summary>Builds an unreadable message, with its timeline entry.</summary>
internal static class ARefusal
{
    public static Refusal Of(IReadOnlyList<OutboxMessage> messages)
    {
        var letter = ADeadLetter.Malformed();
        return new Refusal(
            letter,
            IntakeEntries.Refused(
                letter,
                new SubmissionSource
                {
                    Channel = "amqp",
                    Principal = letter.Principal,
                    MessageId = "m-1",
                }
            ),
            messages
        );
    }
}
