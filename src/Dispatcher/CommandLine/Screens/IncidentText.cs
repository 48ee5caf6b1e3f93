using System.Globalization;
using System.Text.Json;

namespace Dispatcher.CommandLine.Screens;

/// <summary>The messages about an incident, with its figures. Times are in UTC, because readers are in several places.</summary>
internal static class IncidentText
{
    /// <summary>Characters of a reason that a person wrote.</summary>
    private const int MaxReason = 120;

    private static readonly (string Words, string[] States)[] Groups =
    [
        ("waiting", ["accepted", "approved", "retrying"]),
        ("held for approval", ["held"]),
        ("running", ["dispatched", "running"]),
        ("succeeded", ["succeeded"]),
        ("dead letters", ["dead_lettered"]),
        ("ended otherwise", ["quarantined", "denied", "rejected", "expired", "cancelled"]),
    ];

    public static string Of(JsonElement incident) =>
        $"""
            === First notice, now, to the owners and the producers
            To: {To(incident)}
            Since {Time(incident, "began")}, Dispatcher has a problem with {Scope(incident)}.
            {Figures(incident)}
            {Waiting(incident)} Dead letters do not run again by themselves.
            Cause: <cause, or "unknown">
            Next update: <next update at>

            === Update, at the time that was promised
            To: {To(incident)}
            The problem with {Scope(incident)} goes on, at {Time(incident, "at")}.
            {Figures(incident)}
            Done so far: <what was done>
            Cause: <cause, or "unknown">
            Next update: <next update at>

            === All clear, when the alert is over and fewer jobs wait
            To: {To(incident)}
            The problem with {Scope(incident)} is over since <over since>. It began at {Time(incident, "began")}.
            {Figures(incident)}
            Cause: <cause>
            Owners decide on their dead letters. Of a dead letter of class in_doubt, find out first what the attempt did.

            Fill in each field in angle brackets. Print the text again before you send an update: the figures are of {Time(incident, "at")}.
            """;

    private static string To(JsonElement incident) =>
        incident.Items("owners").Any() ? $"owners {incident.Text("owners")}, and their producers" : "<owners>, and their producers";

    private static string Scope(JsonElement incident)
    {
        var pools = incident.Text("pool_names");
        var pool = pools.Length == 0 ? "" : $" (pool {pools})";
        return incident.Text("topic") is { Length: > 0 } topic ? $"topic {topic}{pool}"
            : pools.Length > 0 ? $"pool {pools}"
            : "every topic";
    }

    private static string Figures(JsonElement incident) =>
        string.Join(
            '\n',
            new[] { Jobs(incident), Oldest(incident), DeadLetters(incident), Freezes(incident), Workers(incident), Policy(incident) }.Where(
                line => line.Length > 0
            )
        );

    private static string Jobs(JsonElement incident)
    {
        var jobs = incident.Value("jobs");
        var counts = Groups
            .Select(group => (group.Words, Count: group.States.Sum(state => Number(jobs, state))))
            .Where(group => group.Count > 0)
            .Select(group => $"{group.Count} {group.Words}")
            .ToList();
        var none = IsCut(incident) ? "not known" : "none";
        return $"Jobs submitted {Counted(incident)}: {(counts.Count == 0 ? none : AtLeast(incident) + string.Join(", ", counts))}.";
    }

    private static string Oldest(JsonElement incident) =>
        incident.Moment("oldest_ready") is null ? "" : $"The first job that waits is ready since {Time(incident, "oldest_ready")}.";

    private static string DeadLetters(JsonElement incident) =>
        incident.Value("dead_letters") is { ValueKind: JsonValueKind.Object } letters && letters.EnumerateObject().Any()
            ? $"Dead letters {Counted(incident)}: {AtLeast(incident)}"
                + $"{string.Join(", ", letters.EnumerateObject().Select(one => $"{one.Value} {one.Name}"))}."
            : "";

    /// <summary>Without a bundle new jobs are denied, and a denied job is not kept.</summary>
    private static string Waiting(JsonElement incident) =>
        incident.Text("policy_hash").Length > 0
            ? "Jobs that wait are kept and run later, unless their not_after passes; do not submit them again."
            : "Submit denied jobs again after the all-clear.";

    private static string Counted(JsonElement incident) =>
        incident.Moment("counted_since") == incident.Moment("began") ? "since then" : "in the last 24 h";

    private static string AtLeast(JsonElement incident) => IsCut(incident) ? "at least " : "";

    private static bool IsCut(JsonElement incident) => incident.Value("is_complete").ValueKind == JsonValueKind.False;

    private static string Freezes(JsonElement incident) =>
        string.Join(
            '\n',
            incident
                .Items("freezes")
                .Select(freeze =>
                    $"The dispatch of {Frozen(freeze)} is frozen by {freeze.Text("actor")} until {Time(freeze, "until")}: "
                    + $"{Cut(freeze.Text("reason"))}. Submissions are still accepted."
                )
        );

    private static string Workers(JsonElement incident) =>
        incident.Value("pools") is { ValueKind: JsonValueKind.Object } pools
            ? string.Join(
                '\n',
                pools
                    .EnumerateObject()
                    .Select(pool =>
                        $"Pool {pool.Name}: {Number(pool.Value, "workers")} workers, {Number(pool.Value, "capacity")} slots, "
                        + $"{Number(pool.Value, "running")} runs, {Number(pool.Value, "waiting")} jobs wait."
                    )
            )
            : "";

    private static string Policy(JsonElement incident) =>
        incident.Text("policy_hash") is not { Length: > 0 } hash ? "No bundle is in force: every job is denied."
        : incident.Value("policy_changed").ValueKind == JsonValueKind.True
            ? $"The policy changed since then: bundle {Short(hash)} is in force."
        : $"The policy did not change: bundle {Short(hash)} is in force.";

    private static string Frozen(JsonElement freeze) =>
        freeze.Text("target") == "all" ? "everything" : $"{freeze.Text("target")} {freeze.Text("name")}";

    private static int Number(JsonElement from, string name) =>
        from.Value(name) is { ValueKind: JsonValueKind.Number } number ? number.GetInt32() : 0;

    private static string Short(string hash) => hash.Length > 12 ? hash[..12] : hash;

    /// <summary>One line, because a reason of several lines could look like a part of the message.</summary>
    private static string Cut(string text)
    {
        var line = text.ReplaceLineEndings(" ").Trim();
        return line.Length > MaxReason ? line[..MaxReason] + "…" : line;
    }

    private static string Time(JsonElement from, string name) =>
        from.Moment(name) is { } at ? at.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture) : "<time>";
}
