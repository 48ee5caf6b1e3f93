using Dispatcher.Policies.Evaluating;
using Dispatcher.Policies.Files;

namespace Dispatcher.Policies.Loading;

/// <summary>Reads <c>match</c> and <c>unless</c> into predicates. All keys must hold.</summary>
internal sealed class MatchReader(Attributes attributes, ErrorList errors)
{
    /// <summary>The conditions, and the topics of the match. Topic null: all topics.</summary>
    public (AllOf Conditions, TopicPattern? Topic) Read(YamlNode node, string what)
    {
        if (Fields.Of(node, what, errors, KeyHints.MatchKeys) is not { } fields)
        {
            return (new AllOf([]) { Where = node.Where }, null);
        }

        if (node.Entries.Count == 0)
        {
            errors.Add(
                node,
                BundleErrorCodes.Empty,
                $"{what} is empty; allowed: at least one condition.",
                "write topic: \"**\" to match every job."
            );
        }

        List<Predicate> parts = [];
        parts.AddRange(ReadLabels(fields.Get("labels")));
        parts.AddRange(ReadTags(fields.Get("risk_tags")));
        AddIf(fields.Get("principal"), principal => IsAnyOf(principal, Attributes.Principal, "principal"));
        AddIf(fields.Get("workflow_id"), workflow => IsAnyOf(workflow, Attributes.Workflow, "workflow_id"));
        AddIf(
            fields.Get("attempt_gte"),
            attempt =>
                Scalars.Number(attempt, "attempt_gte", 1, 100, errors) is { } least
                    ? new AttemptIsAtLeast(least) { Where = attempt.Where }
                    : null
        );
        AddIf(fields.Get("unless"), ReadUnless);
        return (new AllOf(parts) { Where = node.Where }, ReadTopic(fields));

        void AddIf(YamlNode? value, Func<YamlNode, Predicate?> read)
        {
            if (value is not null && read(value) is { } predicate)
            {
                parts.Add(predicate);
            }
        }
    }

    private TopicPattern? ReadTopic(Fields match) =>
        match.Get("topic") is { } topic
        && Scalars.Text(topic, "topic", Patterns.TopicPatternText(), Patterns.TopicPatternWords, errors) is { } pattern
            ? new TopicPattern(pattern)
            : null;

    private Unless ReadUnless(YamlNode node)
    {
        (var inner, var topic) = Read(node, "unless");
        if (topic is not null)
        {
            inner = new AllOf([new TopicFits(topic) { Where = node.Where }, .. inner.Parts]) { Where = node.Where };
        }

        return new Unless(inner) { Where = node.Where };
    }

    private List<Predicate> ReadLabels(YamlNode? node)
    {
        var entries = Fields.Named(node, "labels", errors);
        if (node is { Kind: NodeKind.Map, Entries.Count: 0 })
        {
            errors.Add(node, BundleErrorCodes.Empty, "labels is empty; allowed: at least one label.", "name a label or remove the key.");
        }

        return [.. entries.Select(ReadLabel).OfType<Predicate>()];
    }

    private Predicate? ReadLabel(YamlEntry entry)
    {
        var name = entry.Key.Text;
        var what = $"label {name}";
        var attribute = attributes.OfLabel(name);
        if (entry.Value.Kind != NodeKind.Map)
        {
            return IsAnyOf(entry.Value, attribute, what);
        }

        if (OneOf(entry.Value, what, "not", "exists") is not { } test)
        {
            return null;
        }

        return test.Key.Text == "not"
            ? IsAnyOf(test.Value, attribute, what, negated: true)
            : new LabelExists(attribute, name, Scalars.Flag(test.Value, $"exists of {what}", errors)) { Where = entry.Key.Where };
    }

    private IsAnyOf IsAnyOf(YamlNode node, int attribute, string what, bool negated = false) =>
        new(attribute, what, Lists.OneOrMore(node, what, errors), negated) { Where = node.Where };

    private List<Predicate> ReadTags(YamlNode? node)
    {
        const string What = "risk_tags";
        if (node is null)
        {
            return [];
        }

        if (node.Kind != NodeKind.Map)
        {
            return [new HasTags(Texts(node), all: true) { Where = node.Where }];
        }

        if (OneOf(node, What, "any", "none") is not { } test)
        {
            return [];
        }

        HasTags any = new(Texts(test.Value), all: false) { Where = node.Where };
        return [test.Key.Text == "any" ? any : new Unless(any) { Where = node.Where }];

        IReadOnlyList<string> Texts(YamlNode list) => Lists.FilledSet(list, What, errors);
    }

    /// <summary>Reads a mapping that must have exactly one of a few keys.</summary>
    private YamlEntry? OneOf(YamlNode node, string what, params string[] known)
    {
        if (Fields.Of(node, what, errors, known) is not { } fields)
        {
            return null;
        }

        if (node.Entries.Count != 1)
        {
            errors.Add(
                node,
                BundleErrorCodes.BadValue,
                $"{what} has {node.Entries.Count} keys; allowed: exactly one of {string.Join(", ", known)}.",
                "keep one."
            );
            return null;
        }

        return fields.Entries is [var only] ? only : null;
    }
}
