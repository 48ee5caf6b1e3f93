using System.CommandLine;
using System.Text.Json;
using Dispatcher.CommandLine.Screens;
using Dispatcher.Web;

namespace Dispatcher.CommandLine;

/// <summary><c>dispatcher jobs list|show|timeline|attempts|explain|cancel</c>.</summary>
internal static class JobsVerbs
{
    private const string AnId = "0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10";

    public static Command Create(ServerVerbs verbs) =>
        new("jobs", "List, show, explain and cancel jobs.")
        {
            List(verbs),
            OfOneJob(
                verbs,
                new("show", "Show a job: its submission, decision, state and result.", (api, job, stop) => api.JobAsync(job, stop), ShowJob)
            ),
            OfOneJob(
                verbs,
                new(
                    "timeline",
                    "Show the timeline of a job or of a denied submission, oldest entry first.",
                    (api, job, stop) => api.TimelineAsync(job, stop),
                    TimelineScreen.ShowTimeline
                )
            ),
            OfOneJob(
                verbs,
                new(
                    "attempts",
                    "Show the attempts of a job.",
                    (api, job, stop) => api.AttemptsAsync(job, stop),
                    TimelineScreen.ShowAttempts
                )
            ),
            OfOneJob(
                verbs,
                new(
                    "explain",
                    "Explain each decision on a job, or on a denied submission, with the bundle that made it.",
                    (api, job, stop) => api.ExplainAsync(job, stop),
                    ExplanationScreen.ShowRecorded
                )
            ),
            OfOneJob(
                verbs,
                new(
                    "cancel",
                    "Cancel a job: at once when no worker has claimed it, otherwise the worker is asked to stop.",
                    (api, job, stop) => api.CancelAsync(job, stop),
                    ShowCancelled
                )
            ),
        };

    private static Verb List(ServerVerbs verbs)
    {
        var state = new Option<string?>("--state")
        {
            HelpName = "STATE",
            Description = "Only jobs in this state, for example held or dead_lettered.",
        };
        var topic = new Option<string?>("--topic") { HelpName = "TOPIC", Description = "Only jobs of this topic." };
        var principal = new Option<string?>("--principal") { HelpName = "NAME", Description = "Only jobs of this principal." };
        var limit = new Option<int?>("--limit")
        {
            HelpName = "N",
            Description = "Maximum number on a page.",
            CustomParser = Identifiers.WholeNumber("--limit", 1, Paging.MaxPage),
        };
        var cursor = new Option<string?>("--cursor") { HelpName = "CURSOR", Description = "Cursor that the previous page printed." };
        var verb = new Verb(
            "list",
            "List jobs, newest first, a page at a time.",
            "dispatcher jobs list --state held",
            "dispatcher jobs list --topic job.exec.shell --limit 20 --json"
        )
        {
            state,
            topic,
            principal,
            limit,
            cursor,
        };

        return verbs.Add(
            verb,
            async (call, cancellationToken) =>
            {
                var arguments = call.Arguments;
                var query = new Query(
                    ("state", arguments.GetValue(state)),
                    ("topic", arguments.GetValue(topic)),
                    ("principal", arguments.GetValue(principal)),
                    ("limit", arguments.GetValue(limit)),
                    ("cursor", arguments.GetValue(cursor))
                );
                return call.Report(
                    await call.Api.JobsAsync(query, cancellationToken),
                    page =>
                    {
                        call.Screen.Table(
                            ["job", "topic", "principal", "state", "try", "fault", "updated"],
                            page.Items("items")
                                .Select(job =>
                                    new[]
                                    {
                                        job.Text("job_id"),
                                        job.Text("topic"),
                                        job.Text("principal"),
                                        job.Text("state"),
                                        job.Text("attempt"),
                                        job.Text("fault_class"),
                                        call.Screen.Age(job, "updated_at"),
                                    }
                                )
                        );
                        call.Screen.NextPage(page);
                    }
                );
            }
        );
    }

    private static Verb OfOneJob(ServerVerbs verbs, OneJob one)
    {
        var id = Identifiers.Uuid("JOB_ID", "job", "dispatcher jobs list");
        var verb = new Verb(one.Name, one.Description, $"dispatcher jobs {one.Name} {AnId}", $"dispatcher jobs {one.Name} {AnId} --json")
        {
            id,
        };
        return verbs.Add(
            verb,
            async (call, cancellationToken) =>
            {
                var answer = await one.Ask(call.Api, call.Arguments.GetRequiredValue(id), cancellationToken);
                return call.Report(answer, body => one.Show(call.Screen, body));
            }
        );
    }

    private static void ShowJob(Screen screen, JsonElement job) =>
        screen.Fields(
            ("job", job.Text("job_id")),
            ("topic", job.Text("topic")),
            ("principal", job.Text("principal")),
            ("state", job.Text("state") + (job.Text("cancel_requested") == "true" ? ", cancel requested" : "")),
            ("attempt", job.Text("attempt")),
            ("labels", job.Text("labels")),
            ("risk tags", job.Text("risk_tags")),
            ("verdict", job.Text("verdict")),
            ("rules", job.Text("rules")),
            ("reason", job.Text("reason")),
            ("constraints", job.Text("constraints")),
            ("policy", job.Text("policy_hash")),
            ("job hash", job.Text("job_hash")),
            ("pool", job.Text("pool")),
            ("worker", job.Text("worker")),
            ("created", screen.Time(job, "created_at")),
            ("updated", screen.Time(job, "updated_at")),
            ("finished", screen.Time(job, "finished_at")),
            ("payload", job.Raw("payload")),
            ("fault", job.Fault("fault")),
            ("result", job.Raw("result") + (job.Text("result_truncated") == "true" ? " (cut)" : ""))
        );

    private static void ShowCancelled(Screen screen, JsonElement job) =>
        screen.Line(
            job.Text("state") == "cancelled"
                ? $"job {job.Text("job_id")} is cancelled"
                : $"job {job.Text("job_id")} is {job.Text("state")}; its worker is asked to stop"
        );

    /// <summary>A verb that takes a job's id, sends one request and shows the answer.</summary>
    private sealed record OneJob(
        string Name,
        string Description,
        Func<ApiClient, Guid, CancellationToken, Task<ApiAnswer>> Ask,
        Action<Screen, JsonElement> Show
    );
}
