using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Dispatcher.Approvals;
using Dispatcher.Contracts;
using Dispatcher.DeadLetters;
using Dispatcher.Intake;
using Dispatcher.Jobs;
using Dispatcher.Judging;
using Dispatcher.Recovering;
using Dispatcher.Storing;

namespace Dispatcher.Timelines;

/// <summary>What each kind of line tells. A line is read years later by somebody who has only it: it names ids and hashes, never the payload.</summary>
internal static class TimelineDetails
{
    /// <summary>The actor of what the dispatcher does by itself.</summary>
    public const string System = "dispatcher";

    /// <summary>All are in the dead letter.</summary>
    private const int MostErrors = 10;

    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    /// <summary>The request and the decision at intake, and what was answered: a submission that comes again is answered from here.</summary>
    public static TimelineEntry Submitted(string kind, Job job, SubmissionSource source, Judged<Job> judged, JobDecision answer) =>
        Entry(
            kind,
            job,
            job.Principal,
            new
            {
                source.Door,
                source.MessageId,
                job.Topic,
                job.Labels,
                job.RiskTags,
                job.IdempotencyKey,
                job.WorkflowId,
                PayloadSha256 = Convert.ToHexStringLower(SHA256.HashData(job.Payload)),
                judged.Decision.MatchedRules,
                judged.Decision.Detail,
                judged.Decision.BasisHash,
                DecidedAt = judged.At,
                Answer = answer,
            }
        );

    /// <summary>A submission that could not be read. It has no job's id that could be trusted, but that of its dead letter.</summary>
    public static TimelineEntry Refused(DeadLetter letter, SubmissionSource source) =>
        new()
        {
            JobId = letter.DeadLetterId,
            Kind = TimelineKinds.Refused,
            Actor = letter.Principal,
            Detail = Json(
                new
                {
                    source.Door,
                    MessageId = source.MessageId is null ? null : Recovery.Cut(source.MessageId, 128),
                    letter.Topic,
                    letter.BodySha256,
                    letter.BodyLength,
                    DeadLetterSha256 = letter.Hash(),
                    Errors = letter.Errors.Take(MostErrors).Select(error => new { error.Code, Where = Recovery.Cut(error.Where, 256) }),
                }
            ),
        };

    /// <summary>The decision at dispatch, whatever it was.</summary>
    public static TimelineEntry Judged(string kind, Job job, Judged<Job> judged, ClaimedPermit? permit = null, string? why = null) =>
        Entry(
            kind,
            job,
            System,
            new
            {
                ApprovalId = judged.Decision.Verdict == Verdict.RequireApproval ? Approval.NameOf(job.JobId, job.ApprovalRound) : null,
                Why = why,
                DecidedAttempt = job.NextTry(),
                judged.Decision.Verdict,
                judged.Decision.Rules,
                judged.Decision.MatchedRules,
                judged.Decision.Reason,
                judged.Decision.Detail,
                judged.Decision.Constraints,
                judged.Decision.PolicyHash,
                judged.Decision.BasisHash,
                DecidedAt = judged.At,
                job.JobHash,
                job.Pool,
                permit?.PermitId,
                permit?.WorkSha256,
            }
        );

    public static TimelineEntry Claimed(Job job, Guid permitId) =>
        Entry(
            TimelineKinds.Claimed,
            job,
            job.ClaimedBy!,
            new
            {
                job.Worker,
                job.RunId,
                PermitId = permitId,
            }
        );

    /// <summary>How an attempt ended, by its worker's word; and why what follows from it follows.</summary>
    public static TimelineEntry Ended(string kind, Job job, AttemptOutcome outcome, string? why = null) =>
        Entry(
            kind,
            job,
            job.ClaimedBy ?? System,
            new
            {
                job.Worker,
                outcome.RunId,
                outcome.PermitId,
                outcome.StartedAt,
                outcome.EndedAt,
                outcome.Fault,
                job.FaultClass,
                Why = why,
                NextAt = NextAt(job),
                ResultSha256 = job.Result is null ? null : Convert.ToHexStringLower(SHA256.HashData(job.Result)),
                State = job.State,
            }
        );

    /// <summary>
    /// The entry that ends a job, naming the dead letter that is written with it: its id and the hash of all that it keeps.
    /// </summary>
    public static TimelineEntry Naming(TimelineEntry entry, DeadLetter letter)
    {
        var detail = JsonNode.Parse(entry.Detail)!.AsObject();
        detail.Add("dead_letter_id", letter.DeadLetterId);
        detail.Add("dead_letter_sha256", letter.Hash());
        return entry with { Detail = Json(detail) };
    }

    public static TimelineEntry Late(AttemptOutcome outcome, string sender, JobState state) =>
        new()
        {
            JobId = outcome.JobId,
            Kind = TimelineKinds.LateOutcome,
            Attempt = outcome.Attempt,
            Actor = sender,
            Detail = Json(
                new
                {
                    Worker = Recovery.Cut(outcome.Worker, 128),
                    outcome.RunId,
                    outcome.PermitId,
                    outcome.Kind,
                    Fault = outcome.Fault is null ? null : Recovery.Capped(outcome.Fault),
                    State = state,
                }
            ),
        };

    /// <summary>Something the dispatcher did by itself, and why.</summary>
    public static TimelineEntry Repaired(string kind, Job job, string reason) =>
        Entry(
            kind,
            job,
            System,
            new
            {
                reason,
                job.Worker,
                job.RunId,
                job.FaultClass,
                NextAt = NextAt(job),
                State = job.State,
                ApprovalId = kind == TimelineKinds.Unclaimed && job.State == JobState.Approved
                    ? Approval.NameOf(job.JobId, job.ApprovalRound)
                    : null,
            }
        );

    /// <summary>A vote that counted: whose, for what, in which words, and what it led to.</summary>
    public static TimelineEntry Voted(string kind, Job job, Approval approval, Vote vote) =>
        Entry(
            kind,
            job,
            vote.Subject,
            new
            {
                ApprovalId = approval.Name,
                vote.Verdict,
                vote.Person,
                vote.Groups,
                vote.Reason,
                vote.JobHash,
                vote.PolicyHash,
                vote.ViewHash,
                approval.BasisHash,
                approval.UseBy,
                approval.Requirement.Covers,
                State = job.State,
            }
        );

    /// <summary>A vote that did not count, and why.</summary>
    public static TimelineEntry VoteRefused(Job job, Approval approval, CastVote cast, VoteRefusal refusal) =>
        Entry(
            TimelineKinds.VoteRefused,
            job,
            cast.Subject,
            new
            {
                ApprovalId = approval.Name,
                cast.Verdict,
                cast.Person,
                cast.Reason,
                cast.JobHash,
                cast.PolicyHash,
                cast.ViewHash,
                refusal.Code,
                Why = refusal.Message,
                State = job.State,
            }
        );

    /// <summary>An event said that the job is approved, and no approval was ever given.</summary>
    public static TimelineEntry EventRefused(Job job, string sender) =>
        Entry(
            TimelineKinds.EventRefused,
            job,
            sender,
            new
            {
                Event = WireNames.Of(JobState.Approved),
                Why = "no such approval was given; approvals are given over HTTP only",
                State = job.State,
            }
        );

    /// <summary>What the job was held for is no longer so: it is decided again.</summary>
    public static TimelineEntry Invalidated(Job job, Approval approval, string why) =>
        Entry(
            TimelineKinds.Invalidated,
            job,
            System,
            new
            {
                ApprovalId = approval.Name,
                Why = why,
                approval.PolicyHash,
                approval.BasisHash,
                State = job.State,
            }
        );

    public static TimelineEntry Asked(string kind, Job job, string actor) => Entry(kind, job, actor, new { State = job.State });

    /// <summary>A line of the system's own: its job id is all zero.</summary>
    public static TimelineEntry BundleActivated(Activation activation) =>
        new()
        {
            JobId = Guid.Empty,
            Kind = TimelineKinds.BundleActivated,
            Actor = activation.Actor,
            Detail = Json(
                new
                {
                    PolicyHash = activation.Hash,
                    activation.Serial,
                    activation.Before,
                    activation.Pinned,
                    activation.Reason,
                }
            ),
        };

    /// <summary>What was answered when the job was handed in. Null: the line is not of intake.</summary>
    public static JobDecision? Answer(TimelineEntry entry)
    {
        using var detail = JsonDocument.Parse(entry.Detail);
        return detail.RootElement.TryGetProperty("answer", out var answer) ? answer.Deserialize(WireJson.Default.JobDecision) : null;
    }

    /// <summary>When the next attempt may begin. Null: none is to come by itself.</summary>
    private static DateTimeOffset? NextAt(Job job) => job.State == JobState.Retrying ? Timestamps.At(job.ReadyAt) : null;

    private static TimelineEntry Entry<T>(string kind, Job job, string actor, T detail) =>
        new()
        {
            JobId = job.JobId,
            Kind = kind,
            Attempt = job.Attempt,
            Actor = actor,
            Detail = Json(detail),
        };

    private static byte[] Json<T>(T detail) => JsonSerializer.SerializeToUtf8Bytes(detail, Options);
}
