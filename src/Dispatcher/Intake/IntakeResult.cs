using Dispatcher.Contracts;
using Dispatcher.Jobs;

namespace Dispatcher.Intake;

/// <summary>The result of a submission.</summary>
/// <param name="Outcome">The outcome of the submission.</param>
/// <param name="Answer">Null when it is malformed or a conflict: a conflict discloses nothing of the other job.</param>
internal sealed record IntakeResult(IntakeOutcome Outcome, JobDecision? Answer)
{
    /// <summary>Not empty exactly when <see cref="Answer"/> is null.</summary>
    public IReadOnlyList<InputError> Errors { get; init; } = [];
}

/// <summary>The outcomes of a submission.</summary>
internal enum IntakeOutcome
{
    /// <summary>New: stored as a job, or as a denial.</summary>
    Stored,

    /// <summary>
    /// New, and no bundle can be read: denied without being stored, so that a later submission of the same job is evaluated again.
    /// </summary>
    DeniedWithoutBundle,

    /// <summary>Submitted before: the answer is the first one.</summary>
    Known,

    /// <summary>Its id or key belongs to another job of the same principal.</summary>
    Conflict,

    /// <summary>Its id belongs to a job or denial of another principal: it is stored under <see cref="JobIds.Derived"/> instead.</summary>
    IdTaken,

    /// <summary>It cannot be read, or its payload does not fit the schema of its topic: refused.</summary>
    Malformed,

    /// <summary>Another bundle is in force by now: it must be evaluated again.</summary>
    PolicyChanged,
}

/// <summary>The names of outcomes in metrics and traces.</summary>
internal static class IntakeOutcomes
{
    public static string NameOf(IntakeOutcome outcome) =>
        outcome switch
        {
            IntakeOutcome.Stored => "stored",
            IntakeOutcome.DeniedWithoutBundle => "denied_without_bundle",
            IntakeOutcome.Known => "known",
            IntakeOutcome.Conflict => "conflict",
            IntakeOutcome.IdTaken => "id_taken",
            IntakeOutcome.Malformed => "malformed",
            IntakeOutcome.PolicyChanged => "policy_changed",
        };
}

/// <summary>The error of a submission whose id or key belongs to another job.</summary>
internal static class Conflicts
{
    public const string Code = "conflict";

    public static IReadOnlyList<InputError> Of(Job job) =>
        [
            new InputError
            {
                Code = Code,
                Where = job.IdempotencyKey is null ? "/job_id" : "/idempotency_key",
                Message = $"The same principal submitted job {job.JobId}, or a job with its key, before with other content.",
                Fix = "Use a new job_id and idempotency_key for another job; send exactly the same content to get the first answer.",
            },
        ];
}
