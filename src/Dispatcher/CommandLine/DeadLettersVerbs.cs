using System.CommandLine;
using System.Text;
using System.Text.Json;
using Dispatcher.CommandLine.Screens;
using Dispatcher.Web;

namespace Dispatcher.CommandLine;

/// <summary><c>dispatcher dead-letters list|show</c>.</summary>
internal static class DeadLettersVerbs
{
    // Enough to recognise a message; --json shows all.
    private const int ShownBytes = 2048;

    public static Command Create(ServerVerbs verbs) =>
        new("dead-letters", "List and show dead letters: jobs that failed finally, and messages that could not be read.")
        {
            List(verbs),
            Show(verbs),
        };

    private static Verb List(ServerVerbs verbs)
    {
        var limit = new Option<int?>("--limit")
        {
            HelpName = "N",
            Description = "Maximum number on a page.",
            CustomParser = Identifiers.WholeNumber("--limit", 1, Paging.MaxPage),
        };
        var cursor = new Option<string?>("--cursor") { HelpName = "CURSOR", Description = "Cursor that the previous page printed." };
        var verb = new Verb(
            "list",
            "List dead letters, newest first, a page at a time.",
            "dispatcher dead-letters list",
            "dispatcher dead-letters list --limit 20 --json"
        )
        {
            limit,
            cursor,
        };

        return verbs.Add(
            verb,
            async (call, cancellationToken) =>
            {
                var query = new Query(("limit", call.Arguments.GetValue(limit)), ("cursor", call.Arguments.GetValue(cursor)));
                return call.Report(
                    await call.Api.DeadLettersAsync(query, cancellationToken),
                    page =>
                    {
                        call.Screen.Table(
                            ["dead letter", "class", "code", "owner", "topic", "principal", "at"],
                            page.Items("items")
                                .Select(letter =>
                                    new[]
                                    {
                                        letter.Text("dead_letter_id"),
                                        letter.Text("fault_class"),
                                        Code(letter),
                                        letter.Text("owner"),
                                        letter.Text("topic"),
                                        letter.Text("principal"),
                                        call.Screen.Age(letter, "at"),
                                    }
                                )
                        );
                        call.Screen.NextPage(page);
                    }
                );
            }
        );
    }

    private static Verb Show(ServerVerbs verbs)
    {
        const string anId = "0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10";
        var id = Identifiers.Uuid("DEAD_LETTER_ID", "dead letter", "dispatcher dead-letters list");
        var verb = new Verb(
            "show",
            "Show a dead letter: its reason, owner and content.",
            $"dispatcher dead-letters show {anId}",
            $"dispatcher dead-letters show {anId} --json | jq -r .body_base64 | base64 -d"
        )
        {
            id,
        };
        return verbs.Add(
            verb,
            async (call, cancellationToken) =>
            {
                var answer = await call.Api.DeadLetterAsync(call.Arguments.GetRequiredValue(id), cancellationToken);
                // The payload is stored on the job. A job that cannot be read is left out: the dead letter is the answer.
                var job =
                    !call.Json && answer.IsSuccess && Guid.TryParse(answer.Body.Text("job_id"), out var jobId)
                        ? (await call.Api.JobAsync(jobId, cancellationToken)).Body
                        : default;
                return call.Report(answer, letter => ShowLetter(call.Screen, letter, job));
            }
        );
    }

    /// <summary>The code of the fault of a job, or the codes of the errors of a message that could not be read.</summary>
    private static string Code(JsonElement letter) =>
        letter.Value("fault").Text("code") is { Length: > 0 } code
            ? code
            : string.Join(", ", letter.Items("errors").Select(error => error.Text("code")).Distinct());

    private static void ShowLetter(Screen screen, JsonElement letter, JsonElement job)
    {
        screen.Fields(
            ("dead letter", letter.Text("dead_letter_id")),
            ("at", screen.Time(letter, "at")),
            ("class", letter.Text("fault_class")),
            ("owner", letter.Text("owner")),
            ("topic", letter.Text("topic")),
            ("principal", letter.Text("principal")),
            ("job", letter.Text("job_id")),
            ("attempt", letter.Text("attempt")),
            ("code", Code(letter)),
            ("fault", letter.Fault("fault")),
            ("labels", job.Text("labels")),
            ("payload", job.Raw("payload")),
            ("body", Size(letter))
        );
        foreach (var error in letter.Items("errors"))
        {
            screen.Line($"{error.Text("where")}: {error.Text("message")} [{error.Text("code")}]");
            screen.Line($"  fix: {error.Text("fix")}");
        }

        if (
            letter.Value("body_base64") is { ValueKind: JsonValueKind.String } body
            && body.TryGetBytesFromBase64(out var bytes)
            && bytes.Length > 0
        )
        {
            screen.Line(
                Encoding.UTF8.GetString(bytes.AsSpan(0, Math.Min(bytes.Length, ShownBytes))) + (bytes.Length > ShownBytes ? " …" : "")
            );
        }
    }

    private static string Size(JsonElement letter) =>
        letter.Text("body_length") is { Length: > 0 } and not "0"
            ? $"{letter.Text("body_length")} bytes, SHA-256 {letter.Text("body_sha256")}"
            : "";
}
