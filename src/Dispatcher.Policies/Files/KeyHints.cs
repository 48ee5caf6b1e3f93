using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Files;

/// <summary>The known keys, and fixes for a key that is misspelt, lacks a space or belongs elsewhere.</summary>
internal static class KeyHints
{
    public static readonly string[] RuleKeys =
    [
        "id",
        "description",
        "owners",
        "match",
        "decision",
        "reason",
        "constraints",
        "approval",
        "guardrail",
        "review_by",
        "trusts_producer",
        "effective",
    ];
    public static readonly string[] MatchKeys = ["topic", "labels", "risk_tags", "principal", "workflow_id", "attempt_gte", "unless"];
    public static readonly string[] EffectiveKeys = ["from", "until"];
    public static readonly string[] ApprovalKeys = ["groups", "exclude", "decide_within", "use_within", "covers", "on_policy_change"];
    public static readonly string[] TimeoutsKeys = ["start", "run", "heartbeat", "overall"];
    public static readonly string[] BackoffKeys = ["first", "most"];
    public static readonly string[] FaultsKeys = ["transient", "terminal"];
    public static readonly string[] TagsKeys = ["always", "optional"];
    public static readonly string[] DeriveKeys = ["path", "after", "after_first", "after_last", "table", "default"];

    private static readonly Dictionary<string, string[]> Inside = new(StringComparer.Ordinal)
    {
        ["match"] = MatchKeys,
        ["constraints"] = ConstraintNames.All,
        ["approval"] = ApprovalKeys,
        ["effective"] = EffectiveKeys,
        ["timeouts"] = TimeoutsKeys,
        ["backoff"] = BackoffKeys,
        ["faults"] = FaultsKeys,
        ["tags"] = TagsKeys,
        ["derive"] = DeriveKeys,
    };

    /// <summary>The fix for a key that belongs elsewhere, or for a YAML merge key. Null: no neighbouring mapping has this key.</summary>
    public static string? Place(string key, string what, IReadOnlyList<string> known)
    {
        if (key == "<<")
        {
            return "write out the keys that it stands for.";
        }

        if (
            known.FirstOrDefault(outer => Inside.TryGetValue(outer, out var inner) && inner.Contains(key, StringComparer.Ordinal)) is
            { } under
        )
        {
            return $"move it under '{under}'.";
        }

        return what is "match" or "unless" or "constraints" or "approval" or "effective" && RuleKeys.Contains(key, StringComparer.Ordinal)
            ? $"move it out of '{what}', to the keys of the rule."
            : null;
    }

    /// <summary>The known key in <c>topic:job.repo.read</c>, which YAML reads as one word. Null: the text has none.</summary>
    public static string? Glued(string text, IReadOnlyList<string> known) =>
        known.FirstOrDefault(key => text.StartsWith(key + ":", StringComparison.Ordinal));
}
