using System.Collections.Frozen;
using Dispatcher.Contracts;
using Dispatcher.Policies.Evaluating;
using Dispatcher.Policies.Files;
using Dispatcher.Policies.Model;
using Dispatcher.Policies.Texts;

namespace Dispatcher.Policies.Loading;

/// <summary>Reads the files <c>rules/*.yaml</c>.</summary>
internal sealed class RulesReader(Attributes attributes, ErrorList errors)
{
    private readonly List<Rule> _rules = [];
    private readonly List<TopicPattern> _unread = [];
    private readonly Dictionary<string, string> _places = new(StringComparer.Ordinal);

    /// <summary>All rules that could be read, including those with errors.</summary>
    public IReadOnlyList<Rule> Rules => _rules;

    /// <summary>The topics of rules that could not be read.</summary>
    public IReadOnlyList<TopicPattern> Unread => _unread;

    public void Read(BundleFile file)
    {
        var yaml = YamlReader.Read(file, errors);
        _unread.AddRange(TopicsInText.In(yaml.Skipped));
        if (yaml.Root is not { } root)
        {
            return;
        }

        if (Fields.Of(root, "a rules file", errors, "version", "rules") is not { } fields)
        {
            AddUnread(root);
            return;
        }

        fields.NeedText("version", Patterns.Version(), Patterns.VersionWords);
        var rules = fields.Need("rules");
        if (rules is not { Kind: NodeKind.List })
        {
            AddUnread(root);
        }

        foreach (var node in Lists.Items(rules, "rules", errors))
        {
            ReadRule(node);
        }
    }

    private void ReadRule(YamlNode node)
    {
        var before = errors.Count;
        if (Fields.Of(node, "a rule", errors, KeyHints.RuleKeys) is not { } fields)
        {
            AddUnread(node);
            return;
        }

        var decision = fields.Need("decision") is { } verdict ? VerdictReader.Read(verdict, "decision", errors) : null;
        (var from, var until) = ReadEffective(fields);
        CheckEffect(fields, decision);

        // Missing values are already reported, so this rule never decides a job.
        var match = fields.Need("match");
        (var conditions, var topic) = match is null
            ? (new AllOf([]) { Where = node.Where }, null)
            : new MatchReader(attributes, errors).Read(match, "match");
        Rule rule = new()
        {
            Id = ReadId(fields) ?? "the rule",
            Where = node.Where,
            Topic = topic ?? new TopicPattern(TopicPattern.Any),
            Match = conditions,
            Decision = decision ?? Verdict.Deny,
            Reason = fields.Text("reason"),
            Constraints = fields.Get("constraints") is { } constraints ? ConstraintReader.Read(constraints, errors) : null,
            Approval = ReadApproval(fields, decision),
            From = from,
            Until = until,
            Description = fields.Text("description"),
            Owners = fields.Set("owners") ?? [],
            ReviewBy = fields.Get("review_by") is { } review ? Scalars.Date(review, "review_by", errors) : null,
            IsGuardrail = fields.Flag("guardrail"),
            TrustsProducer = fields.Text("trusts_producer"),
            ContentHash = HashOf(node),
        };
        var broken = BrokenOf(node, fields, topic);
        _rules.Add(rule with { Broken = broken, IsWhole = node.IsWhole && errors.Count == before });
        if (broken.Contains("topic"))
        {
            AddUnread(node);
        }
    }

    private static FrozenSet<string> BrokenOf(YamlNode node, Fields fields, TopicPattern? topic)
    {
        var broken = fields.Broken;
        var isOutside = node.Entries.Any(entry => KeyHints.MatchKeys.Contains(entry.Key.Text, StringComparer.Ordinal));
        return !isOutside && !broken.Contains("match") ? broken : [.. broken, "match", .. topic is null ? (string[])["topic"] : []];
    }

    private void AddUnread(YamlNode node) => _unread.AddRange(node.Texts().Select(text => new TopicPattern(text.ToLowerInvariant())));

    private string? ReadId(Fields fields)
    {
        if (fields.NeedText("id", Patterns.RuleId(), Patterns.RuleIdWords) is not { } id)
        {
            return null;
        }

        var at = fields.Get("id")!;
        if (!_places.TryAdd(id, at.Where))
        {
            errors.Add(
                at,
                BundleErrorCodes.DuplicateId,
                $"rule id '{id}' is already at {_places[id]}; allowed: each id once in the bundle.",
                "rename one of the rules."
            );
        }

        return id;
    }

    private ApprovalRequirement? ReadApproval(Fields fields, Verdict? decision)
    {
        var approval = fields.Get("approval") is { } block ? ApprovalReader.Read(block, errors) : ApprovalRequirement.Default;
        return decision == Verdict.RequireApproval ? approval : null;
    }

    private (DateTimeOffset? From, DateTimeOffset? Until) ReadEffective(Fields fields)
    {
        if (fields.Get("effective") is not { } node || Fields.Of(node, "effective", errors, KeyHints.EffectiveKeys) is not { } effective)
        {
            return (null, null);
        }

        var from = effective.Get("from") is { } start ? Scalars.Time(start, "from", errors) : null;
        var until = effective.Get("until") is { } end ? Scalars.Time(end, "until", errors) : null;
        if (from >= until)
        {
            errors.Add(
                node,
                BundleErrorCodes.BadValue,
                "'until' is not after 'from', so the rule is never in effect; allowed: a later time.",
                "correct the times or remove the rule."
            );
        }

        return (from, until);
    }

    private void CheckEffect(Fields fields, Verdict? decision)
    {
        if (decision == Verdict.AllowWithConstraints && fields.Get("constraints") is null)
        {
            errors.Add(
                fields.Get("decision")!,
                BundleErrorCodes.NoConstraints,
                "ALLOW_WITH_CONSTRAINTS has no 'constraints'; at least one is required.",
                "add constraints, or write ALLOW."
            );
        }

        if (decision is Verdict.Allow or Verdict.Deny && fields.Get("constraints") is { } constraints)
        {
            errors.Add(
                constraints,
                BundleErrorCodes.NoEffect,
                "'constraints' have no effect here; allowed: with ALLOW_WITH_CONSTRAINTS or REQUIRE_APPROVAL.",
                "change the decision or remove them."
            );
        }

        if (decision is not (null or Verdict.RequireApproval) && fields.Get("approval") is { } approval)
        {
            errors.Add(
                approval,
                BundleErrorCodes.NoEffect,
                "'approval' has no effect here; allowed: with REQUIRE_APPROVAL.",
                "change the decision or remove it."
            );
        }
    }

    private static byte[] HashOf(YamlNode node)
    {
        using CanonicalHash hash = new("dispatcher/rule/v1");
        node.AddTo(hash);
        return hash.Finish();
    }
}
