using Dispatcher.Policies.Evaluating;

namespace Dispatcher.Policies.Loading;

/// <summary>Reads <c>match</c> and <c>unless</c> into predicates. All keys must hold.</summary>
internal static class MatchReader
{
    /// <summary>All conditions but the topic, which <see cref="ReadTopic"/> reads.</summary>
    public static AllOf Read(YamlNode node, string what, ErrorList errors)
    {
        if (Fields.Of(node, what, errors, "topic", "labels", "risk_tags", "principal", "workflow_id", "attempt_gte", "unless") is not { } fields)
        {
            return new AllOf([]);
        }

        if (node.Entries.Count == 0)
        {
            errors.Add(
                node, BundleErrorCodes.Empty,
                $"{what} is empty; allowed: at least one condition.",
                "write topic: \"**\" if every job is meant.");
        }

        List<Predicate> parts = [];
        parts.AddRange(ReadLabels(fields.Get("labels"), errors));
        parts.AddRange(ReadTags(fields.Get("risk_tags"), errors));
        AddIf(fields.Get("principal"), principal => new PrincipalIsAnyOf(Lists.OneOrMore(principal, "principal", errors)));
        AddIf(fields.Get("workflow_id"), workflow => new WorkflowIsAnyOf(Lists.OneOrMore(workflow, "workflow_id", errors)));
        AddIf(fields.Get("attempt_gte"), attempt => Scalars.Number(attempt, "attempt_gte", 1, 100, errors) is { } least ? new AttemptIsAtLeast(least) : null);
        AddIf(fields.Get("unless"), inner => ReadUnless(inner, errors));
        return new AllOf(parts);

        void AddIf(YamlNode? value, Func<YamlNode, Predicate?> read)
        {
            if (value is not null && read(value) is { } predicate)
            {
                parts.Add(predicate);
            }
        }
    }

    /// <summary>The topics that a match is for. Null: all.</summary>
    public static TopicPattern? ReadTopic(YamlNode match, ErrorList errors) => match.Get("topic") is { } topic
        && Scalars.Text(topic, "topic", Patterns.TopicPattern(), Patterns.TopicPatternWords, errors) is { } pattern ? new TopicPattern(pattern) : null;

    private static Unless ReadUnless(YamlNode node, ErrorList errors)
    {
        List<Predicate> parts = [Read(node, "unless", errors)];
        if (ReadTopic(node, errors) is { } topic)
        {
            parts.Add(new TopicFits(topic));
        }

        return new Unless(new AllOf(parts));
    }

    private static List<Predicate> ReadLabels(YamlNode? node, ErrorList errors)
    {
        IReadOnlyList<YamlEntry> entries = Fields.Named(node, "labels", errors);
        if (node is { Kind: NodeKind.Map, Entries.Count: 0 })
        {
            errors.Add(node, BundleErrorCodes.Empty, "labels is empty; allowed: at least one label.", "name a label or remove the key.");
        }

        return [.. entries.Select(entry => ReadLabel(entry.Key.Text, entry.Value, errors)).OfType<Predicate>()];
    }

    private static Predicate? ReadLabel(string name, YamlNode node, ErrorList errors)
    {
        string what = $"label {name}";
        if (node.Kind != NodeKind.Map)
        {
            return new LabelIsAnyOf(name, Lists.OneOrMore(node, what, errors), negated: false);
        }

        if (OneOf(node, what, errors, "not", "exists") is not { } test)
        {
            return null;
        }

        return test.Key.Text == "not"
            ? new LabelIsAnyOf(name, Lists.OneOrMore(test.Value, what, errors), negated: true)
            : new LabelExists(name, Scalars.Flag(test.Value, $"exists of {what}", errors));
    }

    private static List<Predicate> ReadTags(YamlNode? node, ErrorList errors)
    {
        const string What = "risk_tags";
        if (node is null)
        {
            return [];
        }

        if (node.Kind != NodeKind.Map)
        {
            return [new HasAllTags(Texts(node))];
        }

        if (OneOf(node, What, errors, "any", "none") is not { } test)
        {
            return [];
        }

        HasAnyTag any = new(Texts(test.Value));
        return [test.Key.Text == "any" ? any : new Unless(any)];

        IReadOnlyList<string> Texts(YamlNode list) => Lists.FilledSet(list, What, errors);
    }

    /// <summary>A mapping with exactly one of a few keys.</summary>
    private static YamlEntry? OneOf(YamlNode node, string what, ErrorList errors, params string[] known)
    {
        if (Fields.Of(node, what, errors, known) is null)
        {
            return null;
        }

        if (node.Entries.Count != 1)
        {
            errors.Add(
                node, BundleErrorCodes.BadValue,
                $"{what} has {node.Entries.Count} tests; allowed: exactly one of {string.Join(", ", known)}.",
                "keep one.");
            return null;
        }

        return known.Contains(node.Entries[0].Key.Text, StringComparer.Ordinal) ? node.Entries[0] : null;
    }
}
