using System.Globalization;
using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.Worker.Effects;

namespace Dispatcher.Worker.Running;

/// <summary>How a run ended, before it becomes an <see cref="AttemptOutcome"/>. Pure.</summary>
internal sealed record Ending(OutcomeKind Kind, JsonElement? Result = null, Fault? Fault = null)
{
    private const int MaxType = 256;
    private const int MaxMessage = 4096;
    private const int MaxCode = 64;

    public static Ending Returned { get; } = new(OutcomeKind.Returned);

    /// <summary>
    /// Decides what to report. A handler that returned a result has succeeded, also while it was being stopped: reported as a timeout, its
    /// work would be repeated. Null: the outcome would be refused, because the run is fenced (also by the effect store, which has seen a
    /// later attempt), or it lapsed without a result.
    /// </summary>
    public static Ending? Of(JobResult? result, Exception? exception, StopReason reason, TimeSpan limit, int maxOutputBytes)
    {
        if (reason == StopReason.Fenced || exception is FencedException)
        {
            return null;
        }

        if (result is not null)
        {
            return new(OutcomeKind.Succeeded, OutputCap.Apply(result.Value, maxOutputBytes));
        }

        return reason == StopReason.Lapsed ? null : new(OutcomeKind.Faulted, Fault: FaultOf(exception, reason, limit));
    }

    /// <summary>
    /// The handler's result cannot be reported, for example because of half a surrogate pair. Terminal: its effects have happened, and a
    /// retry would end the same way.
    /// </summary>
    public static Ending BadResult(Exception exception) => new(OutcomeKind.Faulted, Fault: Plain(exception, "terminal", "bad_result"));

    private static Fault FaultOf(Exception? exception, StopReason reason, TimeSpan limit) =>
        reason switch
        {
            StopReason.Timeout => new Fault
            {
                Type = "timeout",
                Code = "timeout",
                Message = string.Create(
                    CultureInfo.InvariantCulture,
                    $"The run did not end within its limit of {limit.TotalMilliseconds:0} ms."
                ),
            },
            StopReason.Cancelled => new Fault
            {
                Type = "cancelled",
                Code = "cancelled",
                Message = "The job was cancelled while it ran.",
            },
            StopReason.WorkerStopping => new Fault
            {
                Type = "worker_stopping",
                Code = "worker_stopping",
                Message = "The worker stopped before the run ended.",
            },
            StopReason.None or StopReason.Lapsed or StopReason.Fenced => FaultOf(
                exception ?? new InvalidOperationException("The handler ended with neither result nor exception.")
            ),
        };

    private static Fault FaultOf(Exception exception) =>
        exception switch
        {
            JobFaultException fault => new Fault
            {
                Class = fault.FaultClass switch
                {
                    FaultClass.Transient => "transient",
                    FaultClass.Terminal => "terminal",
                    null => null,
                },
                Type = Cut((fault.InnerException ?? fault).GetType().ToString(), MaxType),
                Message = Cut(fault.Message, MaxMessage),
                Code = Cut(fault.Code, MaxCode),
                RetryAfterMs = fault.RetryAfter is { } wait ? Math.Max(0, (long)wait.TotalMilliseconds) : null,
            },
            HttpRequestException { StatusCode: { } status } => Plain(
                exception,
                null,
                string.Create(CultureInfo.InvariantCulture, $"http:{(int)status}")
            ),
            EffectInDoubtException => Plain(exception, "terminal", "in_doubt"),
            EffectsUnavailableException => Plain(exception, "terminal", "effects_unavailable"),
            _ => Plain(exception, null, null),
        };

    private static Fault Plain(Exception exception, string? faultClass, string? code) =>
        new()
        {
            Class = faultClass,
            Type = Cut(exception.GetType().ToString(), MaxType),
            Message = Cut(exception.Message, MaxMessage),
            Code = code,
        };

    // PostgreSQL cannot store U+0000 in a text, and half a surrogate pair is not a character.
    private static string Cut(string text, int max)
    {
        text = text.Replace('\0', '\uFFFD');
        if (text.Length <= max)
        {
            return text;
        }

        return text[..(char.IsHighSurrogate(text[max - 1]) ? max - 1 : max)];
    }
}
