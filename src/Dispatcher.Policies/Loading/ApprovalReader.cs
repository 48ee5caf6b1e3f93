using Dispatcher.Policies.Files;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Loading;

/// <summary>Reads a rule's <c>approval</c>.</summary>
internal static class ApprovalReader
{
    private static readonly TimeSpan MinTime = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MaxTime = TimeSpan.FromHours(720);

    public static ApprovalRequirement? Read(YamlNode node, ErrorList errors)
    {
        if (Fields.Of(node, "approval", errors, KeyHints.ApprovalKeys) is not { } fields)
        {
            return null;
        }

        var usual = ApprovalRequirement.Default;
        return new ApprovalRequirement
        {
            Groups = ReadGroups(fields.Get("groups"), errors),
            Exclude = fields.Set("exclude") ?? usual.Exclude,
            DecideWithin = fields.Duration("decide_within", usual.DecideWithin, MinTime, MaxTime),
            UseWithin = fields.Duration("use_within", usual.UseWithin, MinTime, MaxTime),
            Covers = Choice<ApprovalCover>(fields, "covers", ApprovalNames.Of),
            OnPolicyChange = Choice<OnPolicyChange>(fields, "on_policy_change", ApprovalNames.Of),
        };
    }

    /// <summary>One of an enum's values, the first by default. An unknown word is reported.</summary>
    private static T Choice<T>(Fields fields, string key, Func<T, string> name)
        where T : struct, Enum
    {
        var all = Enum.GetValues<T>();
        var word = fields.Word(key, [.. all.Select(name)]);
        return all.FirstOrDefault(value => name(value) == word);
    }

    private static List<ApprovalGroup> ReadGroups(YamlNode? node, ErrorList errors)
    {
        List<ApprovalGroup> groups = [];
        foreach (var entry in Fields.Named(node, "groups", errors).OrderBy(entry => entry.Key.Text, StringComparer.Ordinal))
        {
            var group = Scalars.Text(entry.Key, "a group", Patterns.Name(), Patterns.NameWords, errors);
            var count = Scalars.Number(entry.Value, $"count of group {entry.Key.Text}", 1, 10, errors);
            groups.Add(new ApprovalGroup(group ?? "", (int)(count ?? 1)));
        }

        return groups;
    }
}
