using System.Text.Json;

namespace Dispatcher.CommandLine.Screens;

/// <summary>Shows approvals, and the result of a vote.</summary>
internal static class ApprovalScreen
{
    private const int ShownViewDigits = 12;

    /// <summary>One line for an approval that is new since the last poll.</summary>
    public static void ShowNew(Screen screen, JsonElement approval) =>
        screen.Line(
            $"{approval.Text("approval_id")}  {approval.Text("risk")}  {approval.Text("topic")} of "
                + $"{approval.Text("principal")}: {approval.Text("reason")}; decide {screen.Time(approval, "decide_by")}"
        );

    /// <summary>Prints three lines for each: id, view hash and deadline; topic, missing votes and reason; payload.</summary>
    public static void ShowList(Screen screen, JsonElement page)
    {
        foreach (var approval in page.Items("items"))
        {
            var view = approval.Text("view_hash");
            var missing = approval.Text("missing") is { Length: > 0 } votes ? $"; missing {votes}" : "";
            screen.ShortLine(
                $"{approval.Text("approval_id")}  view {view[..Math.Min(ShownViewDigits, view.Length)]}  "
                    + $"{approval.Text("risk")}  decide {screen.Age(approval, "decide_by")}"
            );
            screen.ShortLine(
                $"  {approval.Text("topic")} of {approval.Text("principal")}, {screen.Age(approval, "created_at")}{missing}: "
                    + approval.Text("reason") // last, because the end of a long line is cut
            );
            screen.ShortLine("  " + approval.Text("payload_excerpt"));
        }

        if (!page.Items("items").Any())
        {
            screen.Note("(none)");
        }

        screen.NextPage(page);
    }

    public static void ShowOne(Screen screen, JsonElement approval)
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
            ("decide by", approval.Text("state") is "held" ? screen.Time(approval, "decide_by") : ""),
            ("use by", approval.Text("state") is "approved" ? screen.Time(approval, "use_by") : ""),
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

    public static void ShowCounted(Screen screen, JsonElement counted) =>
        screen.Fields(
            ("approval", counted.Text("approval_id")),
            ("state", counted.Text("state")),
            ("job", counted.Text("job_state")),
            ("missing", counted.Text("missing")),
            ("use by", screen.Time(counted, "use_by"))
        );
}
