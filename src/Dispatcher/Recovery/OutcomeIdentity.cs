using System.Globalization;
using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.Jobs;

namespace Dispatcher.Recovery;

/// <summary>
/// Finds the run that an unreadable outcome names. That run has ended, so that its job gets a terminal fault: it must not be repeated, and
/// its worker is not lost.
/// </summary>
internal static class OutcomeIdentity
{
    /// <summary>Returns an outcome with the fault <see cref="FaultCodes.BadResult"/>. Null: the element names no run.</summary>
    public static AttemptOutcome? BadResult(ReadOnlySpan<byte> element, InputError error, DateTimeOffset now)
    {
        try
        {
            return Read(element) is { JobId: { } jobId, Attempt: { } attempt, RunId: { } runId } found
                ? new AttemptOutcome
                {
                    JobId = jobId,
                    Attempt = attempt,
                    RunId = runId,
                    PermitId = found.PermitId ?? Guid.Empty,
                    Worker = "unreadable",
                    Kind = OutcomeKind.Faulted,
                    Fault = Fault($"The outcome that the worker sent cannot be read: {error.Where}: {error.Message}"),
                    StartedAt = found.StartedAt ?? now,
                    EndedAt = found.EndedAt ?? now,
                }
                : null;
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    public static Fault Fault(string message) =>
        new()
        {
            Class = FaultClasses.Terminal,
            Type = FaultCodes.BadResult,
            Code = FaultCodes.BadResult,
            Message = message,
        };

    private static Found Read(ReadOnlySpan<byte> element)
    {
        var json = new Utf8JsonReader(element, new JsonReaderOptions { MaxDepth = int.MaxValue });
        var found = new Found();
        try
        {
            while (json.Read() && json.TokenType is JsonTokenType.StartObject or JsonTokenType.PropertyName)
            {
                found = json.TokenType == JsonTokenType.PropertyName ? ReadMember(ref json, found) : found;
            }
        }
        catch (JsonException)
        {
            // The members before the invalid JSON may name the run.
        }

        return found;
    }

    private static Found ReadMember(ref Utf8JsonReader json, Found before)
    {
        var found =
            json.ValueTextEquals("job_id"u8) ? before with { JobId = Id(ref json, before.JobId) }
            : json.ValueTextEquals("run_id"u8) ? before with { RunId = Id(ref json, before.RunId) }
            : json.ValueTextEquals("permit_id"u8) ? before with { PermitId = Id(ref json, before.PermitId) }
            : json.ValueTextEquals("attempt"u8) ? before with { Attempt = Number(ref json, before.Attempt) }
            : json.ValueTextEquals("started_at"u8) ? before with { StartedAt = Time(ref json) }
            : json.ValueTextEquals("ended_at"u8) ? before with { EndedAt = Time(ref json) }
            : before;

        // The reader is still at the name: the value was not read.
        if (ReferenceEquals(before, found))
        {
            json.Read();
        }

        json.Skip();
        return found;
    }

    /// <summary>Throws if the member occurs twice with different values.</summary>
    private static Guid? Id(ref Utf8JsonReader json, Guid? before) =>
        json.Read() && json.TokenType == JsonTokenType.String && json.TryGetGuid(out var id) ? Once(before, id) : null;

    /// <summary>Accepts text too: a worker that sends <c>"1"</c> means 1.</summary>
    private static int? Number(ref Utf8JsonReader json, int? before) =>
        json.Read() && json.TokenType == JsonTokenType.Number && json.TryGetInt32(out var number) ? Once(before, number)
        : json.TokenType == JsonTokenType.String
        && int.TryParse(json.GetString(), NumberStyles.None, CultureInfo.InvariantCulture, out var text)
            ? Once(before, text)
        : null;

    private static T Once<T>(T? before, T value)
        where T : struct, IEquatable<T> =>
        before is null || before.Value.Equals(value) ? value : throw new InvalidOperationException("The outcome names two runs.");

    private static DateTimeOffset? Time(ref Utf8JsonReader json) =>
        json.Read() && json.TokenType == JsonTokenType.String && json.TryGetDateTimeOffset(out var time) ? time : null;

    private sealed record Found
    {
        public Guid? JobId { get; init; }
        public int? Attempt { get; init; }
        public Guid? RunId { get; init; }
        public Guid? PermitId { get; init; }
        public DateTimeOffset? StartedAt { get; init; }
        public DateTimeOffset? EndedAt { get; init; }
    }
}
