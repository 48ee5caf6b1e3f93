using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Dispatcher.Base;
using Dispatcher.CommandLine.Screens;

namespace Dispatcher.CommandLine.Policies;

/// <summary><c>dispatcher policy diff</c>: compares the decisions of two bundles on recorded jobs.</summary>
internal static partial class PolicyDiffVerb
{
    private static readonly string[] JobFields = ["topic", "principal", "labels", "risk_tags", "workflow_id", "attempt", "payload"];

    public static Verb Create(ServerVerbs verbs)
    {
        var old = Bundle("OLD");
        var candidate = Bundle("NEW");
        var since = new Option<string>("--since")
        {
            HelpName = "TIME",
            Description = "Age of the oldest job to compare, for example 90m, 24h or 7d.",
            DefaultValueFactory = _ => "7d",
        };
        since.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && !Period().IsMatch(token.Value))
            {
                result.AddError($"--since '{token.Value}' is not a period: write a number and m, h or d, for example 7d.");
            }
        });
        var verb = new Verb(
            "diff",
            "Evaluate the recorded jobs of the server by two bundles, and list the decisions that widen or narrow. A "
                + "changed rule that matches "
                + "no recorded job is shown with a made-up job. Exit code 1 when anything widens, also for a made-up job.",
            "dispatcher policy diff active ./policies",
            "dispatcher policy diff 3f2b8c6d 9d1a3f2b --since 24h --json"
        )
        {
            old,
            candidate,
            since,
        };
        return verbs.Add(
            verb,
            async (call, cancellationToken) =>
            {
                var body = JsonSerializer.SerializeToUtf8Bytes(
                    new
                    {
                        old = Reference(call.Arguments.GetRequiredValue(old)),
                        @new = Reference(call.Arguments.GetRequiredValue(candidate)),
                        since_seconds = Seconds(call.Arguments.GetRequiredValue(since)),
                    }
                );
                var answer = await call.Api.DiffPoliciesAsync(body, cancellationToken);
                var code = call.Report(answer, diff => Show(call.Screen, diff));
                return code switch
                {
                    ExitCode.Done => Widens(answer.Body) ? ExitCode.No : ExitCode.Done,
                    // Exit code 1 means "widens": a missing bundle, or a key without the role, must have another code.
                    ExitCode.No => ExitCode.WrongUse,
                    ExitCode.WrongUse or ExitCode.Unreachable => code,
                };
            }
        );
    }

    private static Argument<string> Bundle(string name) =>
        new(name) { Description = "A policy folder, the hash of a stored bundle (or its first 8 digits or more), or 'active'." };

    /// <summary>A folder is sent as an archive, because the server may not have its bundle.</summary>
    private static Dictionary<string, object> Reference(string bundle)
    {
        if (Directory.Exists(bundle))
        {
            return new() { ["archive"] = LocalPolicies.Load(bundle).Archive.ToArray() };
        }

        return bundle == "active" || Identifiers.IsBundleHash(bundle)
            ? new() { ["hash"] = bundle }
            : throw new ExitException(
                ExitCode.WrongUse,
                $"'{bundle}' is not a bundle: neither an existing folder, nor 'active', nor a hash of 8 to 64 lower-case hex digits.",
                "Name a policy folder, 'active', or a hash that 'dispatcher policy status' shows."
            );
    }

    private static long Seconds(string period) =>
        long.Parse(period.AsSpan(0, period.Length - 1), CultureInfo.InvariantCulture)
        * period[^1] switch
        {
            'm' => 60,
            'h' => 3_600,
            _ => 86_400,
        };

    private static bool Widens(JsonElement diff) =>
        diff.Text("widened") != "0" || diff.Items("unshown_rules").Any(rule => rule.Value("made_up").Items("widened").Any());

    private static void Show(Screen screen, JsonElement diff)
    {
        screen.Fields(
            ("old", diff.Text("old")),
            ("new", diff.Text("new")),
            ("since", screen.Time(diff, "since")),
            ("jobs", diff.Text("jobs") + (diff.Text("truncated") == "true" ? " (only the newest)" : "")),
            (
                "not comparable",
                diff.Text("not_comparable") is "0" ? "" : diff.Text("not_comparable") + ", denied with a payload too large to store"
            ),
            ("widened", diff.Text("widened")),
            ("narrowed", diff.Text("narrowed"))
        );
        screen.Line("");
        screen.Table(
            ["job", "count", "topic", "principal", "before", "after", "widened", "narrowed"],
            diff.Items("changes")
                .Select(job =>
                    new[]
                    {
                        job.Text("job_id"),
                        job.Text("count"),
                        job.Text("topic"),
                        job.Text("principal"),
                        $"{job.Value("before").Text("verdict")} {job.Value("before").Text("rules")}",
                        $"{job.Value("after").Text("verdict")} {job.Value("after").Text("rules")}",
                        job.Text("widened"),
                        job.Text("narrowed"),
                    }
                )
        );
        ShowUnshown(screen, diff);
    }

    /// <summary>The recorded jobs do not cover these rules, so "widened 0" alone would be misleading.</summary>
    private static void ShowUnshown(Screen screen, JsonElement diff)
    {
        var rules = diff.Items("unshown_rules").ToList();
        if (rules.Count == 0)
        {
            return;
        }

        screen.Line(
            $"\nchanged rules whose effect the recorded jobs do not show: {diff.Text("unshown_rule_count")}. Each has a "
                + "made-up job; it was never submitted."
        );
        foreach (var rule in rules)
        {
            var made = rule.Value("made_up");
            screen.Line(
                $"{rule.Text("rule")}, {rule.Text("change")} at "
                    + $"{rule.Text("where")}{(rule.Text("is_met") == "true" ? "" : ", which matches no recorded job")}"
            );
            if (made.ValueKind != JsonValueKind.Object)
            {
                screen.Line("  found no job that the rule matches");
                continue;
            }

            screen.Line("  job " + MadeUp(made));
            screen.Line(
                $"  {made.Value("before").Text("verdict")} becomes "
                    + $"{made.Value("after").Text("verdict")}{Named("widened")}{Named("narrowed")}"
            );

            string Named(string what) => made.Text(what) is { Length: > 0 } changes ? $"; {what}: {changes}" : "";
        }
    }

    private static string MadeUp(JsonElement job) =>
        string.Join(
            ' ',
            JobFields.Where(field => job.Raw(field) is not ("" or "[]" or "{}")).Select(field => $"{field}={job.Value(field).AsText()}")
        );

    [GeneratedRegex(@"^[1-9][0-9]{0,5}[mhd]\z")]
    private static partial Regex Period();
}
