using System.Text.Json;
using Dispatcher.Base;

namespace Dispatcher.CommandLine;

/// <summary>Turns an answer of the server into output and an exit code, the same way for every verb.</summary>
internal static class Answers
{
    /// <summary>With <c>--json</c> the answer itself; otherwise <paramref name="show"/> on success. A refusal is explained on the error stream in either case.</summary>
    public static ExitCode Report(this ServerCall call, ApiAnswer answer, Action<JsonElement> show)
    {
        if (call.Json && answer.Body.ValueKind != JsonValueKind.Undefined)
        {
            call.Screen.Json(answer.Text);
        }

        if (!answer.IsSuccess)
        {
            return Refuse(call.Screen, answer);
        }

        if (!call.Json)
        {
            show(answer.Body);
        }

        return ExitCode.Done;
    }

    private static ExitCode Refuse(Screen screen, ApiAnswer answer)
    {
        var title = answer.Body.Text("title");
        screen.Note($"error: {(title.Length > 0 ? title : "refused")} (HTTP {answer.Status}, {answer.Request})");
        if (answer.Body.Text("detail") is { Length: > 0 } detail)
        {
            screen.Note("  " + detail);
        }

        foreach (var error in answer.Body.Items("errors"))
        {
            // What was seen and what is allowed are in the message.
            screen.Note($"  {error.Text("where")}: {error.Text("message")} [{error.Text("code")}]");
            screen.Note($"    fix: {error.Text("fix")}");
        }

        var (code, general) = Verdict(answer);
        // The server knows its own refusals better.
        var fix =
            answer.Body.Text("fix") is { Length: > 0 } told ? told
            : answer.Body.Text("code").Length > 0 ? ""
            : general;
        if (fix.Length > 0)
        {
            screen.Note("  fix: " + fix);
        }

        return code;
    }

    private static (ExitCode Code, string Fix) Verdict(ApiAnswer answer) =>
        answer.Status switch
        {
            401 => (
                ExitCode.WrongUse,
                "The server does not know this API key. Set DISPATCHER_API_KEY, DISPATCHER_API_KEY_FILE or --api-key to a key that is not revoked."
            ),
            403 => (ExitCode.No, "The key's roles do not allow this. Use another key, or ask an administrator ('dispatcher keys list')."),
            >= 400 and <= 499 => (ExitCode.No, ""),
            >= 500 when answer.Request.EndsWith("/api/status", StringComparison.Ordinal) => (
                ExitCode.Unreachable,
                "The server has trouble of its own. Look at /health/ready, which says what it lacks, and at its log."
            ),
            >= 500 => (ExitCode.Unreachable, "The server has trouble of its own. Look at 'dispatcher status' and its log, then try again."),
            _ => (ExitCode.Unreachable, "A Dispatcher server does not answer like this. Check --url or DISPATCHER_URL."),
        };
}
