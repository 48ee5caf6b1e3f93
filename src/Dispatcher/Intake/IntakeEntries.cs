using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;

namespace Dispatcher.Intake;

/// <summary>Timeline entries of submissions. They name ids and hashes, never the payload.</summary>
internal static class IntakeEntries
{
    /// <summary>Maximum number of errors in an entry. The dead letter has all of them.</summary>
    private const int MaxErrors = 10;

    /// <summary>The request, the decision at intake and the answer. A repeated submission gets this answer.</summary>
    public static TimelineEntry Submitted(string kind, Job job, Submission submission, Evaluated<Job> evaluated, JobDecision answer) =>
        TimelineEntry.Of(
            kind,
            job,
            job.Principal,
            new
            {
                Door = submission.Source.Channel,
                submission.Source.MessageId,
                job.Topic,
                job.Labels,
                job.RiskTags,
                job.IdempotencyKey,
                job.WorkflowId,
                submission.PayloadSha256,
                evaluated.Decision.MatchedRules,
                evaluated.Decision.Detail,
                evaluated.Decision.BasisHash,
                DecidedAt = evaluated.At,
                Answer = answer,
            }
        );

    /// <summary>
    /// A submission that could not be read. The entry has the id of its dead letter, because no job id in it can be trusted.
    /// </summary>
    public static TimelineEntry Refused(DeadLetter letter, SubmissionSource source) =>
        new()
        {
            JobId = letter.DeadLetterId,
            Kind = TimelineKinds.Refused,
            Actor = letter.Principal,
            Detail = TimelineEntry.Json(
                new
                {
                    Door = source.Channel,
                    MessageId = source.MessageId is null ? null : StoredText.Cut(source.MessageId, 128),
                    letter.Topic,
                    letter.BodySha256,
                    letter.BodyLength,
                    DeadLetterSha256 = letter.Hash(),
                    Errors = letter.Errors.Take(MaxErrors).Select(error => new { error.Code, Where = StoredText.Cut(error.Where, 256) }),
                }
            ),
        };

    /// <summary>The answer to the first submission of the job. Null: the entry is not of intake.</summary>
    public static JobDecision? Answer(TimelineEntry entry)
    {
        using var detail = JsonDocument.Parse(entry.Detail);
        return detail.RootElement.TryGetProperty("answer", out var answer) ? answer.Deserialize(WireJson.Default.JobDecision) : null;
    }
}
