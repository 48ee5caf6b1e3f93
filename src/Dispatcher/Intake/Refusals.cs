using System.Security.Cryptography;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Storage;

namespace Dispatcher.Intake;

/// <summary>
/// Keeps submissions that cannot be read, or whose payload does not fit its schema. The store gets the first bytes, the hash and every
/// error; the dead-letter exchange gets a copy; the submitter gets an event and an answer. Every reader of the two exchanges sees copies
/// and events, so these contain only the codes of the errors: the errors themselves quote bytes of the body.
/// </summary>
internal sealed partial class Refusals(
    IStore store,
    StoreHealth health,
    Relay relay,
    JobEvents events,
    StoreClock clock,
    TimeProvider time,
    ILogger<Refusals> logger
) : GroupCommit<Refusal, bool>(health, time)
{
    /// <summary>The class of a dead letter that never became a job.</summary>
    public const string Malformed = "malformed";

    /// <summary>The class of a message that ended or failed the server each time it was read.</summary>
    public const string Poison = "poison";

    /// <summary>The owner of every message that never became a job, whatever its topic.</summary>
    public const string Owner = "dispatcher";

    private const int KeptBytes = 65_536;
    private const int MaxCodes = 20;

    /// <summary>Keeps the message as a dead letter, and returns the answer for its sender, with the id of the dead letter.</summary>
    public async Task<Refused> RefuseAsync(
        ReadOnlyMemory<byte> body,
        SubmissionSource source,
        IReadOnlyList<InputError> errors,
        CancellationToken cancellationToken,
        string faultClass = Malformed
    )
    {
        var letter = Letter(body, source, errors, faultClass);
        string[] codes = [.. errors.Select(error => error.Code).Distinct().Take(MaxCodes)];
        var rejection = events.OfRefusal(source.Principal, source.RoutingKey, null, $"{faultClass}: {string.Join(", ", codes)}");
        var copy = DeadLetterMessage.Of(letter, Guid.CreateVersion7(Time.GetUtcNow()), Timestamps.At(clock.Now), codes);
        await AddAsync(new Refusal(letter, IntakeEntries.Refused(letter, source), [copy, .. rejection]), cancellationToken);
        var reason = string.Join("; ", errors.Select(error => $"{error.Where}: {error.Message} {error.Fix}").Take(3));
        Log.Refused(logger, letter.DeadLetterId, letter.Principal, reason);
        return new Refused
        {
            Code = faultClass,
            DeadLetterId = letter.DeadLetterId,
            Errors = errors,
        };
    }

    protected override Guid KeyOf(Refusal item) => item.DeadLetter.DeadLetterId;

    protected override async Task<IReadOnlyList<bool>> CommitAsync(IReadOnlyList<Refusal> batch, CancellationToken cancellationToken)
    {
        await store.RefuseAsync(batch, cancellationToken);
        relay.Offer(batch.SelectMany(refusal => refusal.Outbox));
        return [.. batch.Select(_ => true)];
    }

    private DeadLetter Letter(ReadOnlyMemory<byte> body, SubmissionSource source, IReadOnlyList<InputError> errors, string faultClass)
    {
        var hash = source.Cut?.Sha256 ?? Convert.ToHexStringLower(SHA256.HashData(body.Span));
        return new DeadLetter
        {
            // A message that is redelivered after a crash is kept once. Without a message id it cannot be distinguished from a second
            // message: both are kept.
            DeadLetterId = source.MessageId is { } id
                ? UuidV5.Of(faultClass, source.Principal ?? "", id, hash)
                : Guid.CreateVersion7(Time.GetUtcNow()),
            FaultClass = faultClass,
            Owner = Owner,
            Topic = Storable(source.RoutingKey) ?? "unknown",
            Principal = Storable(source.Principal) ?? "unknown",
            Errors = errors,
            Body = body[..Math.Min(body.Length, KeptBytes)].ToArray(),
            BodyLength = (int?)source.Cut?.Length ?? body.Length,
            BodySha256 = hash,
        };
    }

    /// <summary>An untrusted property as text that every store and every header accepts.</summary>
    private static string? Storable(string? text) =>
        string.IsNullOrEmpty(text) ? null : new string([.. text.Take(128).Select(c => c is >= ' ' and <= '~' ? c : '?')]);

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.Refused,
            LogLevel.Information,
            "Refused a submission of {Principal}, kept as dead letter {DeadLetterId}: {Reason}"
        )]
        public static partial void Refused(ILogger logger, Guid deadLetterId, string principal, string reason);
    }
}
