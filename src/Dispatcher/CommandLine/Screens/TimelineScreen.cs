using System.Globalization;
using System.Text.Json;

namespace Dispatcher.CommandLine.Screens;

/// <summary>Shows the timeline of a job, one line for each entry, and its attempts.</summary>
internal static class TimelineScreen
{
    private const string Clock = "HH:mm:ss.fff";

    public static void ShowTimeline(Screen screen, JsonElement timeline)
    {
        var entries = timeline.Items("items").ToList();
        var (first, last) = (
            entries.Select(entry => entry.Moment("at")).FirstOrDefault(),
            entries.Select(entry => entry.Moment("at")).LastOrDefault()
        );
        var before = first;
        var rows = new List<string[]>();
        foreach (var entry in entries)
        {
            var at = entry.Moment("at");
            // The date only where it differs from that of the first entry.
            var date =
                at?.UtcDateTime.Date == first?.UtcDateTime.Date ? "" : at?.UtcDateTime.ToString("MM-dd ", CultureInfo.InvariantCulture);
            var attempt = entry.Text("attempt") is "0" ? "" : entry.Text("attempt");
            rows.Add([
                date + Time(at),
                rows.Count == 0 ? "" : Durations.Words(at - before),
                entry.Text("kind"),
                attempt,
                entry.Text("actor"),
                Details(entry.Value("detail")),
            ]);
            before = at ?? before;
        }

        if (first is { } begin && last is { } end)
        {
            var day = begin.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
            var steps = entries.Count == 1 ? "1 step" : $"{entries.Count} steps";
            screen.Line($"{day} UTC, {steps} in {Durations.Words(end - begin)}");
        }

        screen.Table(["at", "after", "step", "try", "by", "what"], rows);
    }

    public static void ShowAttempts(Screen screen, JsonElement attempts) =>
        screen.Table(
            ["attempt", "state", "worker", "dispatched (UTC)", "waited", "ran", "fault"],
            attempts
                .Items("items")
                .Select(attempt =>
                {
                    var (dispatched, claimed, ended) = (
                        attempt.Moment("dispatched_at"),
                        attempt.Moment("claimed_at"),
                        attempt.Moment("ended_at")
                    );
                    return new[]
                    {
                        attempt.Text("attempt"),
                        attempt.Text("state"),
                        attempt.Text("worker"),
                        Time(dispatched),
                        Durations.Words(claimed - dispatched),
                        Durations.Words(ended - claimed),
                        attempt.Fault("fault"),
                    };
                })
        );

    /// <summary>The details of an entry, the most important first. --json shows all.</summary>
    private static string Details(JsonElement detail)
    {
        var decision = detail.Value("answer") is { ValueKind: JsonValueKind.Object } answer ? answer : detail;
        var parts = new[]
        {
            detail.Text("person") is { Length: > 0 } person
                ? $"{person}: {detail.Text("verdict")}"
                : Joined(decision.Text("verdict"), " by ", decision.Text("rules")),
            decision.Text("reason"),
            detail.Fault("fault"),
            Joined(detail.Text("code"), ": ", detail.Text("why")),
            string.Join(", ", detail.Items("errors").Select(error => Joined(error.Text("code"), " at ", error.Text("where")))),
            Joined("", "on ", detail.Text("worker")),
            Joined("", "ran ", Durations.Words(detail.Moment("ended_at") - detail.Moment("started_at"))),
            Joined("", "next attempt at ", Time(detail.Moment("next_at"))),
            Joined("", "dead letter ", detail.Text("dead_letter_id")),
        };
        return string.Join("; ", parts.Where(part => part.Length > 0));
    }

    private static string Joined(string left, string between, string right) =>
        right.Length == 0 ? left
        : left.Length == 0 ? between.TrimStart(':', ' ') + right
        : left + between + right;

    private static string Time(DateTimeOffset? at) => at?.UtcDateTime.ToString(Clock, CultureInfo.InvariantCulture) ?? "";
}
