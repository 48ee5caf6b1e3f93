using System.Security.Cryptography;
using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;

namespace Dispatcher.Intake;

/// <summary>Timeline entries of submissions. They name ids and hashes, never the payload.</summary>
internal static class IntakeEntries
{
    /// <summary>Most errors in an entry. The dead letter has all of them.</summary>
    private const int MostErrors = 10;

    /// <summary>The request and the decision at intake, and what was answered: a submission that comes again is answered from here.</summary>
    public static TimelineEntry Submitted(string kind, Job job, SubmissionSource source, Evaluated<Job> evaluated, JobDecision answer) =>
        TimelineEntry.Of(
            kind,
            job,
            job.Principal,
            new
            {
                Door = source.Channel,
                source.MessageId,
                job.Topic,
                job.Labels,
                job.RiskTags,
                job.IdempotencyKey,
                job.WorkflowId,
                PayloadSha256 = Convert.ToHexStringLower(SHA256.HashData(job.Payload)),
                evaluated.Decision.MatchedRules,
                evaluated.Decision.Detail,
                evaluated.Decision.BasisHash,
                DecidedAt = evaluated.At,
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
            Detail = TimelineEntry.Json(
                new
                {
                    Door = source.Channel,
                    MessageId = source.MessageId is null ? null : StoredText.Cut(source.MessageId, 128),
                    letter.Topic,
                    letter.BodySha256,
                    letter.BodyLength,
                    DeadLetterSha256 = letter.Hash(),
                    Errors = letter.Errors.Take(MostErrors).Select(error => new { error.Code, Where = StoredText.Cut(error.Where, 256) }),
                }
            ),
        };

    /// <summary>What was answered when the job was handed in. Null: the line is not of intake.</summary>
    public static JobDecision? Answer(TimelineEntry entry)
    {
        using var detail = JsonDocument.Parse(entry.Detail);
        return detail.RootElement.TryGetProperty("answer", out var answer) ? answer.Deserialize(WireJson.Default.JobDecision) : null;
    }
}
