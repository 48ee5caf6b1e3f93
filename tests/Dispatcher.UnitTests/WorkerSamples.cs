using Dispatcher.Contracts;
using static Dispatcher.UnitTests.SampleMessages;

namespace Dispatcher.UnitTests;

/// <summary>Examples of the messages between the dispatcher and its workers.</summary>
internal static class WorkerSamples
{
    public static IEnumerable<(string Name, string Json)> All()
    {
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
                        RunId = RunId,
                        PermitId = PermitId,
                    },
                    new Claim { Status = ClaimStatus.Taken, PermitId = PermitId },
                ],
            }
        );
        yield return Sample(
            "faulted",
            WireJson.Default.OutcomeBatch,
            new OutcomeBatch { Outcomes = [Outcome(OutcomeKind.Faulted) with { Fault = Broken }] }
        );
        yield return Sample(
            "all",
            WireJson.Default.PermitClaims,
            new PermitClaims
            {
                Jti = PermitId,
                Sub = JobId,
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
                ClaimId = RunId,
                Permits = ["a.b.c"],
            }
        );
        yield return Sample(
            "all",
            WireJson.Default.HeartbeatRequest,
            new HeartbeatRequest { Worker = "host-17/4711", Runs = [new Run { JobId = JobId, RunId = RunId }] }
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
                Cancelled = [RunId],
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
    }

    private static AttemptOutcome Outcome(OutcomeKind kind) =>
        new()
        {
            JobId = JobId,
            Attempt = 1,
            RunId = RunId,
            Worker = "host-17/4711",
            PermitId = PermitId,
            Kind = kind,
            StartedAt = At,
            EndedAt = At.AddMilliseconds(1_500),
        };
}
