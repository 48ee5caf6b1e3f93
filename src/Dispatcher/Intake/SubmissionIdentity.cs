using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;

namespace Dispatcher.Intake;

/// <summary>The job id of a submission. The same submission gets the same id each time it is sent, so that it runs once.</summary>
internal static class SubmissionIdentity
{
    private const int MaxId = 128;

    /// <summary>
    /// The first that the submission has: its job id, the id of its idempotency key, the id of its AMQP message id, or a new id where the
    /// channel gives one. The empty id: it has none, or is reported.
    /// </summary>
    public static Guid Read(JsonMembers members, SubmissionSource source, string? key, List<InputError> errors)
    {
        if (members.Text("job_id", MaxId) is { } text)
        {
            if (Guid.TryParseExact(text, "D", out var id) && id != Guid.Empty && !JobIds.IsDerived(id))
            {
                return id;
            }

            errors.Report(
                "bad_job_id",
                "/job_id",
                $"\"{InputErrors.Cut(text)}\" is not a job id; allowed is a UUID with hyphens, not all zero and not of "
                    + "version 8, which only the server creates.",
                "For example \"0197f3a0-7c1e-7b7a-9f53-0d4c2e6a1b11\", or leave it out and set \"idempotency_key\"."
            );
            return Guid.Empty;
        }

        if (source.Principal is null || members.Member("job_id") is not null)
        {
            return Guid.Empty;
        }

        if (key is not null)
        {
            return UuidV5.Of("key", source.Principal, key);
        }

        if (source.MessageId is { Length: > 0 })
        {
            return UuidV5.Of("message", source.Principal, source.MessageId);
        }

        if (source.NewJobId is null)
        {
            errors.Report(
                "no_identity",
                "body",
                "The job has no identity: no job_id, no idempotency_key, no AMQP message_id.",
                "Set one of the three, so that sending it twice does not run it twice."
            );
        }

        return source.NewJobId ?? Guid.Empty;
    }
}
