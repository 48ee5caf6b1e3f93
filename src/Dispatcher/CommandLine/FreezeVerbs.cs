using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Dispatcher.CommandLine.Screens;

namespace Dispatcher.CommandLine;

/// <summary><c>dispatcher freeze</c>, <c>dispatcher freeze list</c> and <c>dispatcher unfreeze</c>.</summary>
internal static partial class FreezeVerbs
{
    private const string Example = "job.exec.shell";

    private static readonly TimeSpan MaxDuration = TimeSpan.FromDays(7);

    public static Command Freeze(ServerVerbs verbs)
    {
        var target = new TargetOptions();
        var duration = new Option<long?>("--for")
        {
            HelpName = "DURATION",
            Description = "How long: 90s, 30m, 2h or 3d, at most 7d. This or --until is required.",
            CustomParser = Seconds,
        };
        var until = new Option<DateTimeOffset?>("--until")
        {
            HelpName = "TIME",
            Description = "When it expires, at most 7 days from now, such as 2026-11-01T08:00:00Z.",
            CustomParser = Time,
        };
        var verb = new Verb(
            "freeze",
            "Stop the dispatch of a topic, of a pool or of everything, until it is ended or expires. After the answer no server dispatches "
                + "a job of it. Running and already dispatched attempts go on: cancel those that must stop. Submissions are still "
                + "accepted; their jobs wait without a failed attempt.",
            $"dispatcher freeze --topic {Example} --reason disk-full --for 2h",
            "dispatcher freeze --all --reason incident-42 --until 2026-11-01T08:00:00Z"
        )
        {
            duration,
            until,
            List(verbs),
        };
        target.AddTo(verb);
        verb.Validators.Add(call =>
        {
            if (call.GetResult(duration) is null == call.GetResult(until) is null)
            {
                call.AddError("Give one end: --for DURATION or --until TIME. A freeze must have an end.");
            }
        });
        return verbs.Add(
            verb,
            async (call, cancellationToken) =>
            {
                var body = target.Body(call.Arguments);
                body["for_s"] = call.Arguments.GetValue(duration);
                body["until"] = call.Arguments.GetValue(until);
                return call.Report(
                    await call.Api.FreezeAsync(JsonSerializer.SerializeToUtf8Bytes(body), cancellationToken),
                    freeze =>
                        call.Screen.Line(
                            $"The dispatch of {Words(freeze)} is frozen until {call.Screen.Time(freeze, "until")}. "
                                + "Attempts that were dispatched before go on."
                        )
                );
            }
        );
    }

    public static Verb Unfreeze(ServerVerbs verbs)
    {
        var target = new TargetOptions();
        var verb = new Verb(
            "unfreeze",
            "End the freeze of exactly this target before its time. Its jobs are dispatched again at once, unless another freeze "
                + "stops them.",
            $"dispatcher unfreeze --topic {Example} --reason disks-cleaned",
            "dispatcher unfreeze --all --reason incident-over"
        );
        target.AddTo(verb);
        return verbs.Add(
            verb,
            async (call, cancellationToken) =>
                call.Report(
                    await call.Api.UnfreezeAsync(JsonSerializer.SerializeToUtf8Bytes(target.Body(call.Arguments)), cancellationToken),
                    freeze => call.Screen.Line($"The freeze of {Words(freeze)} has ended.")
                )
        );
    }

    private static Verb List(ServerVerbs verbs)
    {
        var verb = new Verb(
            "list",
            "List the freezes in force, and the last ones that ended or expired.",
            "dispatcher freeze list",
            "dispatcher freeze list --json"
        );
        return verbs.Add(
            verb,
            async (call, cancellationToken) =>
                call.Report(
                    await call.Api.FreezesAsync(cancellationToken),
                    freezes =>
                        call.Screen.Table(
                            ["frozen", "state", "by", "since", "until", "reason"],
                            freezes
                                .Items("in_force")
                                .Select(freeze => Row(call.Screen, freeze, "in force"))
                                .Concat(freezes.Items("past").Select(freeze => Row(call.Screen, freeze, PastState(freeze))))
                        )
                )
        );
    }

    private static string[] Row(Screen screen, JsonElement freeze, string state) =>
        [Words(freeze), state, freeze.Text("actor"), screen.Time(freeze, "since"), screen.Time(freeze, "until"), freeze.Text("reason")];

    private static string PastState(JsonElement freeze) => freeze.Text("ended_by") is { Length: > 0 } who ? $"ended by {who}" : "expired";

    private static string Words(JsonElement freeze) =>
        freeze.Text("target") == "all" ? "everything" : $"{freeze.Text("target")} {freeze.Text("name")}";

    internal static long? Seconds(ArgumentResult result)
    {
        var text = result.Tokens[0].Value;
        var match = DurationText().Match(text);
        if (match.Success)
        {
            var seconds =
                long.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture)
                * match.Groups[2].Value switch
                {
                    "s" => 1,
                    "m" => 60,
                    "h" => 3_600,
                    _ => 86_400,
                };
            if (seconds <= MaxDuration.TotalSeconds)
            {
                return seconds;
            }
        }

        result.AddError($"--for '{text}' is not allowed: write a duration such as 90s, 30m, 2h or 3d, at most 7d.");
        return null;
    }

    private static DateTimeOffset? Time(ArgumentResult result)
    {
        var text = result.Tokens[0].Value;
        if (
            TimeText().IsMatch(text)
            && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
        )
        {
            return time;
        }

        result.AddError($"--until '{text}' is not a time with its offset: write one such as 2026-11-01T08:00:00Z.");
        return null;
    }

    [GeneratedRegex(@"\A([1-9][0-9]{0,8})(s|m|h|d)\z")]
    private static partial Regex DurationText();

    [GeneratedRegex(@"\A[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,7})?(Z|[-+][0-9]{2}:[0-9]{2})\z")]
    private static partial Regex TimeText();

    /// <summary>The options that name the target and the reason, the same for both verbs.</summary>
    private sealed class TargetOptions
    {
        private readonly Option<string?> _topic = new("--topic") { HelpName = "TOPIC", Description = "The jobs of this topic." };
        private readonly Option<string?> _pool = new("--pool") { HelpName = "POOL", Description = "The jobs of this pool." };
        private readonly Option<bool> _all = new("--all") { Description = "Every job." };
        private readonly Option<string> _reason = new("--reason")
        {
            HelpName = "TEXT",
            Description = "The reason in a sentence; status and timeline show it.",
            Required = true,
        };

        public void AddTo(Verb verb)
        {
            verb.Add(_topic);
            verb.Add(_pool);
            verb.Add(_all);
            verb.Add(_reason);
            verb.Validators.Add(call =>
            {
                var targets = new Option[] { _topic, _pool, _all }.Count(option => call.GetResult(option) is { Implicit: false });
                if (targets != 1)
                {
                    call.AddError($"{targets} targets are given; give one of --topic TOPIC, --pool POOL and --all.");
                }
            });
        }

        public Dictionary<string, object?> Body(ParseResult arguments) =>
            new()
            {
                ["topic"] = arguments.GetValue(_topic),
                ["pool"] = arguments.GetValue(_pool),
                ["all"] = arguments.GetValue(_all),
                ["reason"] = arguments.GetValue(_reason),
            };
    }
}
