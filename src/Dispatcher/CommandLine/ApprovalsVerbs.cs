using System.CommandLine;
using System.Text.Json;
using Dispatcher.Base;

namespace Dispatcher.CommandLine;

/// <summary><c>dispatcher approvals list|show|approve|reject|watch</c>.</summary>
internal static class ApprovalsVerbs
{
    private const string AnId = "0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10-1";

    private const int ShortestView = 8;
    private const int ShownView = 12;

    private static readonly TimeSpan WatchEvery = TimeSpan.FromSeconds(2);

    public static Command Create(ServerVerbs verbs) =>
        new("approvals", "Look at jobs that wait for people, and decide on them.")
        {
            List(verbs),
            Show(verbs),
            Deciding(verbs, "approve", "Approve exactly the job that is shown, under exactly the rules that hold it."),
            Deciding(verbs, "reject", "Reject the job: one rejection ends it."),
            Watch(verbs),
        };

    private static Verb List(ServerVerbs verbs)
    {
        var state = new Option<string?>("--state")
        {
            HelpName = "STATE",
            Description = "held (the default), approved, consumed, rejected, expired or invalidated.",
        };
        var all = new Option<bool>("--all") { Description = "Also those that a vote of this key would not count for." };
        var limit = new Option<int?>("--limit") { HelpName = "N", Description = "At most so many." };
        var verb = new Verb(
            "list",
            "List what waits for a vote of this key: the riskiest first, then the oldest.",
            "dispatcher approvals list",
            "dispatcher approvals list --all --json"
        )
        {
            state,
            all,
            limit,
        };
        return verbs.Add(
            verb,
            async (call, cancellationToken) =>
            {
                var query = new Query(
                    ("state", call.Arguments.GetValue(state)),
                    ("mine", call.Arguments.GetValue(all) ? "false" : null),
                    ("limit", call.Arguments.GetValue(limit))
                );
                return call.Report(await call.Api.ApprovalsAsync(query, cancellationToken), page => ShowList(call.Screen, page));
            }
        );
    }

    private static Verb Show(ServerVerbs verbs)
    {
        var id = Id();
        var verb = new Verb(
            "show",
            "Show what is asked, what would run under which limits, and who has voted. A job's id alone shows its last round.",
            $"dispatcher approvals show {AnId}"
        )
        {
            id,
        };
        return verbs.Add(
            verb,
            async (call, cancellationToken) =>
                call.Report(
                    await call.Api.ApprovalAsync(call.Arguments.GetRequiredValue(id), cancellationToken),
                    approval => ShowOne(call.Screen, approval)
                )
        );
    }

    private static Verb Deciding(ServerVerbs verbs, string verdict, string description)
    {
        var id = Id();
        var reason = new Option<string>("--reason")
        {
            HelpName = "TEXT",
            Description = "Why; it is kept on the timeline.",
            Required = true,
        };
        var seen = new Option<string>("--view")
        {
            HelpName = "HASH",
            Description = "The view hash of what you looked at, or its first 8 digits or more: the vote is for that and for nothing else.",
            Required = true,
        };
        var verb = new Verb(verdict, description, $"dispatcher approvals {verdict} {AnId} --view 3f2b8c6d4e10 --reason checked")
        {
            id,
            seen,
            reason,
        };
        return verbs.Add(
            verb,
            async (call, cancellationToken) =>
            {
                var approval = await call.Api.ApprovalAsync(call.Arguments.GetRequiredValue(id), cancellationToken);
                if (!approval.IsSuccess)
                {
                    return call.Report(approval, _ => { });
                }

                var view = approval.Body.Text("view_hash");
                var looked = call.Arguments.GetRequiredValue(seen);
                if (looked.Length < ShortestView || !view.StartsWith(looked, StringComparison.Ordinal))
                {
                    throw new ExitException(
                        looked.Length < ShortestView ? ExitCode.WrongUse : ExitCode.No,
                        $"--view is {looked}, and what waits now has {view}.",
                        $"Look at it with \"dispatcher approvals show {approval.Body.Text("approval_id")}\", then vote with the view hash shown there, at least {ShortestView} digits."
                    );
                }

                var vote = JsonSerializer.SerializeToUtf8Bytes(
                    new
                    {
                        job_hash = approval.Body.Text("job_hash"),
                        policy_hash = approval.Body.Text("policy_hash"),
                        view_hash = view,
                        reason = call.Arguments.GetRequiredValue(reason),
                    }
                );
                return call.Report(
                    await call.Api.VoteAsync(approval.Body.Text("approval_id"), verdict, vote, cancellationToken),
                    counted => ShowCounted(call.Screen, counted)
                );
            }
        );
    }

    private static Verb Watch(ServerVerbs verbs)
    {
        var all = new Option<bool>("--all") { Description = "Also those that a vote of this key would not count for." };
        var verb = new Verb(
            "watch",
            "Print what comes to wait for a vote of this key, until Ctrl-C. With --json a line for each.",
            "dispatcher approvals watch"
        )
        {
            all,
        };
        return verbs.Add(
            verb,
            async (call, cancellationToken) =>
            {
                var known = new HashSet<string>(StringComparer.Ordinal);
                while (true)
                {
                    var page = await call.Api.ApprovalsAsync(
                        new Query(("mine", call.Arguments.GetValue(all) ? "false" : null), ("limit", 500)),
                        cancellationToken
                    );
                    if (!page.IsSuccess)
                    {
                        return call.Report(page, _ => { });
                    }

                    foreach (var approval in page.Body.Items("items").Where(approval => known.Add(approval.Text("approval_id"))))
                    {
                        Announce(call, approval);
                    }

                    await Task.Delay(WatchEvery, call.Terminal.Clock, cancellationToken);
                }
            }
        );
    }

    private static Argument<string> Id() =>
        new("APPROVAL_ID") { Description = "The approval, as \"dispatcher approvals list\" shows it: job id and round." };

    private static void Announce(ServerCall call, JsonElement approval)
    {
        if (call.Json)
        {
            call.Screen.Json(approval.GetRawText());
            return;
        }

        call.Screen.Line(
            $"{approval.Text("approval_id")}  {approval.Text("risk")}  {approval.Text("topic")} of {approval.Text("principal")}: {approval.Text("reason")}; decide {call.Screen.Time(approval, "decide_by")}"
        );
    }

    /// <summary>Three lines for each: what to vote on and until when, why it waits, what would run.</summary>
    private static void ShowList(Screen screen, JsonElement page)
    {
        foreach (var approval in page.Items("items"))
        {
            var view = approval.Text("view_hash");
            var missing = approval.Text("missing") is { Length: > 0 } votes ? $"; missing: {votes}" : "";
            screen.ShortLine(
                $"{approval.Text("approval_id")}  view {view[..Math.Min(ShownView, view.Length)]}  {approval.Text("risk")}  decide {screen.Age(approval, "decide_by")}"
            );
            screen.ShortLine(
                $"  {approval.Text("topic")} of {approval.Text("principal")}, {screen.Age(approval, "created_at")}: {approval.Text("reason")}{missing}"
            );
            screen.ShortLine("  " + approval.Text("payload_excerpt"));
        }

        if (!page.Items("items").Any())
        {
            screen.Note("(none)");
        }

        screen.NextPage(page);
    }

    private static void ShowOne(Screen screen, JsonElement approval)
    {
        screen.Fields(
            ("approval", approval.Text("approval_id")),
            ("state", approval.Text("state")),
            ("risk", approval.Text("risk")),
            ("topic", approval.Value("shown").Text("topic")),
            ("principal", approval.Value("shown").Text("principal")),
            ("labels", approval.Value("shown").Text("labels")),
            ("risk tags", approval.Value("shown").Text("risk_tags")),
            ("payload", approval.Value("shown").Text("payload")),
            ("rules", approval.Value("shown").Text("rules")),
            ("reason", approval.Value("shown").Text("reason")),
            ("will run", approval.Text("will_run")),
            ("limits", approval.Value("shown").Text("constraints")),
            ("requires", Required(approval.Value("shown").Value("requirement"))),
            ("missing", approval.Text("missing")),
            ("job hash", approval.Text("job_hash")),
            ("policy", approval.Text("policy_hash")),
            ("view hash", approval.Text("view_hash")),
            ("since", screen.Time(approval, "created_at")),
            ("decide by", screen.Time(approval, "decide_by")),
            ("use by", screen.Time(approval, "use_by")),
            ("ended", approval.Text("end_reason")),
            ("your vote", approval.Value("why_not").Text("message"))
        );
        screen.Table(
            ["person", "key", "verdict", "reason", "at"],
            approval
                .Items("votes")
                .Select(vote =>
                    new[] { vote.Text("person"), vote.Text("subject"), vote.Text("verdict"), vote.Text("reason"), screen.Time(vote, "at") }
                )
        );
    }

    /// <summary>For example <c>2 of sre-oncall; not requester; within 24 h; to use within 1 h; for one attempt</c>.</summary>
    private static string Required(JsonElement requirement)
    {
        if (requirement.ValueKind != JsonValueKind.Object)
        {
            return requirement.AsText();
        }

        var groups = requirement.Value("groups") is { ValueKind: JsonValueKind.Object } named
            ? named.EnumerateObject().Select(group => $"{group.Value.AsText()} of {group.Name}").ToList()
            : [];
        var parts = new[]
        {
            groups.Count == 0 ? "1 approver" : string.Join(" and ", groups),
            requirement.Text("exclude") is { Length: > 0 } excluded ? "not " + excluded : "",
            Within("within ", requirement, "decide_within_s"),
            Within("to use within ", requirement, "use_within_s"),
            requirement.Text("covers") switch
            {
                "attempt" => "for one attempt",
                "retries" => "also for the retries",
                var other => other,
            },
            requirement.Text("on_policy_change") switch
            {
                "invalidate" => "falls with any change of the policies",
                "same_basis" => "stands while the rules that hold the job are the same",
                var other => other,
            },
        };
        return string.Join("; ", parts.Where(part => part.Length > 0));
    }

    private static string Within(string words, JsonElement requirement, string name) =>
        requirement.Value(name) is { ValueKind: JsonValueKind.Number } number && number.TryGetInt64(out var seconds)
            ? words + Durations.Words(TimeSpan.FromSeconds(seconds))
            : "";

    private static void ShowCounted(Screen screen, JsonElement counted) =>
        screen.Fields(
            ("approval", counted.Text("approval_id")),
            ("state", counted.Text("state")),
            ("job", counted.Text("job_state")),
            ("missing", counted.Text("missing")),
            ("use by", screen.Time(counted, "use_by"))
        );
}
