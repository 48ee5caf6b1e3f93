using System.Text.Json;

namespace Dispatcher.CommandLine.Screens;

/// <summary>Shows an explained decision: first the result, then the steps that led to it.</summary>
internal static class ExplanationScreen
{
    public static void Show(Screen screen, JsonElement explanation)
    {
        screen.Fields(
            ("verdict", explanation.Text("verdict")),
            ("reason", explanation.Text("reason")),
            ("detail", explanation.Text("detail")),
            ("rules", explanation.Text("rules")),
            ("constraints", explanation.Text("constraints")),
            ("approval", explanation.Text("approval")),
            ("labels", explanation.Text("labels")),
            ("risk tags", explanation.Text("risk_tags")),
            ("policy", explanation.Text("policy_hash"))
        );
        foreach (var error in explanation.Items("payload_errors"))
        {
            screen.Line($"payload {error.Text("path")}: {error.Text("message")} {error.Text("fix")}");
        }

        screen.Line("");
        foreach (var step in explanation.Items("merge"))
        {
            screen.Line("- " + step.GetString());
        }

        screen.Line("");
        // Rules of other topics are left out, because they cannot match; --json has them.
        screen.Table(
            ["rule", "decision", "outcome", "wanted", "seen", "at"],
            explanation
                .Items("considered")
                .Where(rule => rule.Text("outcome") != "other_topic")
                .Select(rule =>
                    new[]
                    {
                        rule.Text("id"),
                        rule.Text("decision"),
                        rule.Text("outcome"),
                        rule.Text("wanted"),
                        rule.Text("seen"),
                        rule.Text("wanted_at") is { Length: > 0 } at ? at : rule.Text("where"),
                    }
                )
        );
    }

    /// <summary>Each decision on a job's timeline.</summary>
    public static void ShowRecorded(Screen screen, JsonElement answer)
    {
        foreach (var decision in answer.Items("decisions"))
        {
            var recorded = decision.Value("recorded");
            screen.Line(
                $"== {recorded.Text("kind")}, attempt {recorded.Text("attempt")}, {screen.Time(recorded, "at")}: "
                    + $"{recorded.Text("verdict")} under {recorded.Text("policy_hash")}"
            );
            if (decision.Text("why_not") is { Length: > 0 } whyNot)
            {
                screen.Line(whyNot);
                continue;
            }

            if (decision.Text("is_as_recorded") != "true")
            {
                screen.Note("The bundle now decides differently from the recorded decision: the row of the job or the entry was changed.");
            }

            Show(screen, decision.Value("explanation"));
        }
    }
}
