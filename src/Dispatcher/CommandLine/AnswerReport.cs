using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.CommandLine.Screens;

namespace Dispatcher.CommandLine;

/// <summary>Turns an answer of the server into output and an exit code, in the same way for every verb.</summary>
internal static class AnswerReport
{
    /// <summary>
    /// With <c>--json</c> prints the answer itself, otherwise calls <paramref name="show"/> on success. A refusal is always explained on
    /// the error stream.
    /// </summary>
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

    /// <summary>The body of a successful answer. Throws for any other, so that a verb of several requests can end.</summary>
    public static JsonElement BodyOrThrow(this ApiAnswer answer)
    {
        if (answer.IsSuccess)
        {
            return answer.Body;
        }

        var (code, general) = Verdict(answer);
        var parts = answer
            .Body.Items("errors")
            .Select(error => error.Text("message"))
            .Prepend(answer.Body.Text("detail"))
            .Prepend(answer.Body.Text("title"))
            .Where(part => part.Length > 0);
        throw new ExitException(
            code,
            $"{answer.Request} ended with {answer.Status}: {string.Join(' ', parts)}",
            answer.Body.Text("fix") is { Length: > 0 } fix ? fix
                : general.Length > 0 ? general
                : "Correct what the answer names."
        );
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
            // The message contains the seen and the allowed value.
            screen.Note($"  {error.Text("where")}: {error.Text("message")} [{error.Text("code")}]");
            screen.Note($"    fix: {error.Text("fix")}");
        }

        var (code, general) = Verdict(answer);
        // The server's own fix is more precise than the general one.
        var fix =
            answer.Body.Text("fix") is { Length: > 0 } given ? given
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
                "The API key is unknown or revoked. Set DISPATCHER_API_KEY, DISPATCHER_API_KEY_FILE or --api-key to a valid key."
            ),
            403 => (
                ExitCode.No,
                "The roles of the key do not allow the request. Use another key, or ask an administrator for the role "
                    + "('dispatcher keys list')."
            ),
            >= 400 and <= 499 => (ExitCode.No, ""),
            >= 500 when answer.Request.EndsWith("/api/status", StringComparison.Ordinal) => (
                ExitCode.Unreachable,
                "The server failed. GET /health/ready names the failing check; the log of the server has the reason."
            ),
            >= 500 => (ExitCode.Unreachable, "The server failed. Check 'dispatcher status' and the log of the server, then try again."),
            _ => (ExitCode.Unreachable, "The answer is not that of a Dispatcher server. Check --url or DISPATCHER_URL."),
        };
}
