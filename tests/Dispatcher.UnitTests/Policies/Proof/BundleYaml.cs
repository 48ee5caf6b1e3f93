using System.Globalization;
using System.Text;
using Dispatcher.Contracts;
using Dispatcher.Policies.Files;
using Dispatcher.Policies.Model;

namespace Dispatcher.UnitTests.Policies.Proof;

/// <summary>Writes a model as the files of a bundle.</summary>
/// <param name="order">Reorders the keys of a mapping. Null: unchanged order.</param>
internal sealed class BundleYaml(Random? order = null)
{
    private static readonly Dictionary<Verdict, string> Decisions = new()
    {
        [Verdict.Allow] = "ALLOW",
        [Verdict.AllowWithConstraints] = "ALLOW_WITH_CONSTRAINTS",
        [Verdict.RequireApproval] = "REQUIRE_APPROVAL",
        [Verdict.Deny] = "DENY",
    };

    private static readonly Dictionary<ApprovalCover, string> Covers = new()
    {
        [ApprovalCover.Attempt] = "attempt",
        [ApprovalCover.Retries] = "retries",
    };

    private static readonly Dictionary<OnPolicyChange, string> Changes = new()
    {
        [OnPolicyChange.SameBasis] = "same_basis",
        [OnPolicyChange.Invalidate] = "invalidate",
    };

    public static BundleFile File(string path, string text) => new(path, Encoding.UTF8.GetBytes(text));

    public string Topics(BundleModel bundle) =>
        "version: v1\npools:\n"
        + string.Concat(Shuffled(bundle.Pools).Select(pool => $"  {pool.Key}: {{ enforcers: [{string.Join(", ", pool.Value)}] }}\n"))
        + "topics:\n"
        + string.Concat(Shuffled(bundle.Topics).Select(topic => $"  {topic.Name}: {Topic(topic)}\n"));

    public string Rules(IReadOnlyList<RuleModel> rules) =>
        "version: v1\nrules:" + (rules.Count == 0 ? " []\n" : "\n" + string.Concat(rules.Select(rule => $"  - {Rule(rule)}\n")));

    private string Topic(TopicModel topic) =>
        Map(
            ("pool", topic.Pool),
            ("owner", "team"),
            ("tags", Map(("always", Texts(topic.AlwaysTags)), ("optional", Texts(topic.OptionalTags)))),
            ("labels", topic.Labels.Count == 0 ? null : Map([.. topic.Labels.Select(label => (label.Key, (string?)Label(label.Value)))]))
        );

    private string Label(LabelModel label) =>
        Map(
            ("values", label.Values is null ? null : Texts(label.Values)),
            ("required", label.Required ? "true" : null),
            ("absent", label.AbsentIsNoMatch ? "no_match" : null),
            (
                "source",
                label.Source switch
                {
                    LabelSource.Producer => null,
                    LabelSource.Payload => "payload",
                    LabelSource.Principal => "principal",
                }
            ),
            (
                "derive",
                label.Source != LabelSource.Payload
                    ? null
                    : Map(
                        ("path", "/command"),
                        ("table", $"[{string.Join(", ", label.Table.Select(Row))}]"),
                        ("default", Text(label.Default))
                    )
            )
        );

    private string Row(RowModel row) => Map((row.Fit.ToString().ToLowerInvariant(), Texts(row.Elements)), ("value", Text(row.Value)));

    private string Rule(RuleModel rule) =>
        Map(
            ("id", rule.Id),
            ("match", Match(rule.Match)),
            ("decision", Decisions[rule.Decision]),
            ("reason", Text(rule.Reason)),
            ("constraints", rule.Constraints is null ? null : Constraints(rule.Constraints)),
            ("approval", rule.Approval is null ? null : Approval(rule.Approval)),
            (
                "effective",
                rule.From is null && rule.Until is null
                    ? null
                    : Map(("from", Time(rule.From, TimeSpan.Zero)), ("until", Time(rule.Until, TimeSpan.FromHours(2))))
            )
        );

    private string Match(MatchModel match) =>
        Map(
            ("topic", match.IsEmpty ? "'**'" : Text(match.Topic)),
            ("labels", match.Labels.Count == 0 ? null : Map([.. match.Labels.Select(test => (test.Name, (string?)LabelValue(test)))])),
            ("risk_tags", match.Tags is null ? null : Tags(match.Tags)),
            ("principal", OneOrMore(match.Principals)),
            ("workflow_id", OneOrMore(match.Workflows)),
            ("attempt_gte", Number(match.AttemptAtLeast)),
            ("unless", match.Unless is null ? null : Match(match.Unless))
        );

    private string LabelValue(LabelTest test) =>
        test.Kind switch
        {
            LabelTestKind.AnyOf => OneOrMore(test.Values)!,
            LabelTestKind.NoneOf => Map(("not", OneOrMore(test.Values))),
            LabelTestKind.Exists => Map(("exists", "true")),
            LabelTestKind.IsAbsent => Map(("exists", "false")),
        };

    private string Tags(TagTest test) =>
        test.Kind switch
        {
            TagTestKind.All => Texts(test.Tags),
            TagTestKind.Any => Map(("any", Texts(test.Tags))),
            TagTestKind.None => Map(("none", Texts(test.Tags))),
        };

    private string Constraints(Constraints constraints) =>
        Map(
            ("allowed_hosts", constraints.AllowedHosts is null ? null : Texts(constraints.AllowedHosts)),
            ("allowed_commands", constraints.AllowedCommands is null ? null : Texts(constraints.AllowedCommands)),
            ("timeout_ms", Number(constraints.TimeoutMs)),
            ("max_output_bytes", Number(constraints.MaxOutputBytes))
        );

    private string Approval(ApprovalModel approval) =>
        Map(
            ("groups", Map([.. approval.Groups.Select(group => (group.Key, Number(group.Value)))])),
            ("exclude", approval.Exclude is null ? null : Texts(approval.Exclude)),
            ("decide_within", Minutes(approval.DecideWithinMinutes)),
            ("use_within", Minutes(approval.UseWithinMinutes)),
            ("covers", approval.Covers is not { } covers ? null : Covers[covers]),
            ("on_policy_change", approval.OnPolicyChange is not { } change ? null : Changes[change])
        );

    /// <summary>A mapping without the keys whose value is null.</summary>
    private string Map(params (string Key, string? Value)[] entries) =>
        $"{{ {string.Join(", ", Shuffled(entries.Where(entry => entry.Value is not null)).Select(entry => $"{entry.Key}: {entry.Value}"))} "
        + $"}}";

    private T[] Shuffled<T>(IEnumerable<T> items)
    {
        T[] all = [.. items];
        order?.Shuffle(all);
        return all;
    }

    private static string? OneOrMore(IReadOnlyList<string>? values) =>
        values is null ? null
        : values.Count == 1 ? Text(values[0])
        : Texts(values);

    private static string Texts(IEnumerable<string> values) => $"[{string.Join(", ", values.Select(Text))}]";

    private static string? Text(string? value) => value is null ? null : $"'{value}'";

    private static string? Number(long? value) => value?.ToString(CultureInfo.InvariantCulture);

    private static string? Minutes(int? minutes) => minutes is null ? null : $"{Number(minutes)}m";

    private static string? Time(DateTimeOffset? time, TimeSpan offset) =>
        time is null ? null : Text(time.Value.ToOffset(offset).ToString("yyyy-MM-dd'T'HH:mm:sszzz", CultureInfo.InvariantCulture));
}
