using Dispatcher.Contracts;
using Dispatcher.Policies.Evaluating;

namespace Dispatcher.Policies.Loading;

/// <summary>Reads <c>rules/*.yaml</c>, file after file.</summary>
internal sealed class RulesReader(Slots slots, ErrorList errors)
{
    private readonly List<Rule> _rules = [];
    private readonly Dictionary<string, string> _places = new(StringComparer.Ordinal);

    /// <summary>Every rule read, also what is not whole.</summary>
    public IReadOnlyList<Rule> Rules => _rules;

    /// <summary>False: there may be rules that could not even be found.</summary>
    public bool HasAll { get; private set; } = true;

    public void Read(BundleFile file)
    {
        if (YamlReader.Read(file, errors) is not { } root || Fields.Of(root, "a rules file", errors, "version", "rules") is not { } fields)
        {
            HasAll = false;
            return;
        }

        fields.NeedText("version", Patterns.Version(), Patterns.VersionWords);
        YamlNode? rules = fields.Need("rules");
        HasAll &= root.IsWhole && rules is { Kind: NodeKind.List };
        foreach (YamlNode node in Lists.Items(rules, "rules", errors))
        {
            ReadRule(node);
        }
    }

    private void ReadRule(YamlNode node)
    {
        int before = errors.Count;
        Fields? fields = Fields.Of(
            node, "a rule", errors,
            "id", "description", "owners", "match", "decision", "reason", "constraints", "approval", "guardrail", "review_by", "effective");
        if (fields is null)
        {
            HasAll = false;
            return;
        }

        Verdict? decision = fields.Need("decision") is { } verdict ? VerdictReader.Read(verdict, "decision", errors) : null;
        (DateTimeOffset? from, DateTimeOffset? until) = ReadEffective(fields);
        CheckEffect(fields, decision);

        // What is missing here has been reported, so that this rule never decides.
        YamlNode? match = fields.Need("match");
        MatchReader reader = new(slots, errors);
        Rule rule = new()
        {
            Id = ReadId(fields) ?? "",
            Where = node.Where,
            Topic = (match is null ? null : reader.ReadTopic(match)) ?? new TopicPattern(TopicPattern.Any),
            Match = match is null ? new AllOf([]) { Where = node.Where } : reader.Read(match, "match"),
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
            ContentHash = HashOf(node),
        };
        _rules.Add(rule with { IsWhole = node.IsWhole && errors.Count == before });
    }

    private string? ReadId(Fields fields)
    {
        if (fields.NeedText("id", Patterns.RuleId(), Patterns.RuleIdWords) is not { } id)
        {
            return null;
        }

        YamlNode at = fields.Get("id")!;
        if (!_places.TryAdd(id, at.Where))
        {
            errors.Add(
                at, BundleErrorCodes.DuplicateId,
                $"rule id '{id}' is already at {_places[id]}; allowed: each id once in the bundle.",
                "rename one of the rules.");
        }

        return id;
    }

    private ApprovalRequirement? ReadApproval(Fields fields, Verdict? decision)
    {
        ApprovalRequirement? approval = fields.Get("approval") is { } block ? ApprovalReader.Read(block, errors) : ApprovalRequirement.Default;
        return decision == Verdict.RequireApproval ? approval : null;
    }

    private (DateTimeOffset? From, DateTimeOffset? Until) ReadEffective(Fields fields)
    {
        if (fields.Get("effective") is not { } node || Fields.Of(node, "effective", errors, "from", "until") is not { } effective)
        {
            return (null, null);
        }

        DateTimeOffset? from = effective.Get("from") is { } start ? Scalars.Time(start, "from", errors) : null;
        DateTimeOffset? until = effective.Get("until") is { } end ? Scalars.Time(end, "until", errors) : null;
        if (from >= until)
        {
            errors.Add(
                node, BundleErrorCodes.BadValue,
                "'until' is not after 'from', so the rule is never in effect; allowed: a later time.",
                "correct the times or remove the rule.");
        }

        return (from, until);
    }

    private void CheckEffect(Fields fields, Verdict? decision)
    {
        if (decision == Verdict.AllowWithConstraints && fields.Get("constraints") is null)
        {
            errors.Add(
                fields.Get("decision")!, BundleErrorCodes.NoConstraints,
                "ALLOW_WITH_CONSTRAINTS has no 'constraints'; at least one is required.",
                "add constraints, or write ALLOW.");
        }

        if (decision is Verdict.Allow or Verdict.Deny && fields.Get("constraints") is { } constraints)
        {
            errors.Add(
                constraints, BundleErrorCodes.NoEffect,
                "'constraints' have no effect here; allowed: with ALLOW_WITH_CONSTRAINTS or REQUIRE_APPROVAL.",
                "change the decision or remove them.");
        }

        if (decision is not (null or Verdict.RequireApproval) && fields.Get("approval") is { } approval)
        {
            errors.Add(
                approval, BundleErrorCodes.NoEffect,
                "'approval' has no effect here; allowed: with REQUIRE_APPROVAL.",
                "change the decision or remove it.");
        }
    }

    private static byte[] HashOf(YamlNode node)
    {
        using Canonical hash = new("dispatcher/rule/v1");
        node.AddTo(hash);
        return hash.Finish();
    }
}
