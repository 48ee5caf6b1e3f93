using Dispatcher.Contracts;
using static Dispatcher.UnitTests.SampleMessages;

namespace Dispatcher.UnitTests;

/// <summary>Examples of the messages that producers and observers send and receive.</summary>
internal static class ProducerSamples
{
    public static IEnumerable<(string Name, string Json)> All()
    {
        yield return Sample(
            "full",
            WireJson.Default.SubmitJob,
            new SubmitJob
            {
                JobId = JobId,
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
                JobId = JobId,
                State = JobState.Held,
                Verdict = Verdict.RequireApproval,
                Rules = ["prod"],
                Reason = "production",
                Constraints = Limits,
                PolicyHash = Hash,
                JobHash = Hash,
                ApprovalId = $"{JobId}-1",
            }
        );
        yield return Sample(
            "malformed",
            WireJson.Default.Refused,
            new Refused
            {
                Code = "malformed",
                DeadLetterId = JobId,
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
                EventId = RunId,
                Event = "dead_lettered",
                JobId = JobId,
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
                EventId = RunId,
                Event = "succeeded",
                JobId = JobId,
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
                EventId = RunId,
                Event = "policy_activated",
                Topic = "policy",
                Principal = "ada",
                At = At,
                PolicyHash = Hash,
                Reason = $"pinned; in force before: {new string('b', 64)}",
            }
        );
        yield return Sample("bare", WireJson.Default.SubmitJob, new SubmitJob { Topic = "job.exec.shell" });
        yield return Sample(
            "accepted",
            WireJson.Default.JobDecision,
            new JobDecision
            {
                JobId = JobId,
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
                EventId = RunId,
                Event = "refused",
                Topic = "unknown",
                Principal = "unknown",
                At = At,
                PolicyHash = "",
                Reason = "no",
            }
        );
        yield return Sample(
            "full",
            WireJson.Default.DeadLetterCopy,
            new DeadLetterCopy
            {
                DeadLetterId = RunId,
                JobId = JobId,
                Topic = "job.exec.shell",
                Principal = "billing",
                Owner = "platform",
                FaultClass = "transient",
                Fault = Broken,
                Attempt = 2,
                At = At,
            }
        );
        yield return Sample(
            "bare",
            WireJson.Default.DeadLetterCopy,
            new DeadLetterCopy
            {
                DeadLetterId = RunId,
                JobId = JobId,
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
                DeadLetterId = RunId,
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
}
