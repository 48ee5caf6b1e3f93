using Dispatcher.Policies.Evaluating;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Linting;

/// <summary>
/// Jobs of one topic that represent all jobs, as far as the given rules can distinguish them. Each label, the principal and the workflow
/// takes every value that these rules name, one that they do not name, and none if the registry allows that. The same applies to tags,
/// attempts and derived labels.
/// </summary>
internal sealed class JobSpace
{
    private const string DefaultPrincipal = "somebody";

    private readonly LintedTopic _topic;
    private readonly ILookup<int, IReadOnlyList<string>> _named;
    private readonly HashSet<int> _tested;
    private readonly Rule _wanted;
    private readonly List<Action<Draft>[]> _axes = [];

    /// <param name="topic">The topic of the jobs.</param>
    /// <param name="rules">The rules that must be able to distinguish the jobs.</param>
    /// <param name="wanted">A rule that every useful job matches, at least possibly. Values that it excludes are left out.</param>
    public JobSpace(LintedTopic topic, IReadOnlyList<Rule> rules, Rule wanted)
    {
        _topic = topic;
        _wanted = wanted;
        List<Predicate> tests = [.. rules.SelectMany(Leaves.Of).Select(leaf => leaf.Test)];
        _named = tests.OfType<IsAnyOf>().ToLookup(test => test.Attribute, test => test.Values);
        _tested = [.. tests.Select(Leaves.Attribute).OfType<int>()];

        AddAttempts(tests);
        AddTags(tests);
        AddWorkflows();
        AddPrincipals();
        AddStatedLabels(topic.Attributes);
        AddPayloads();
    }

    /// <summary>The jobs; likely matches come first.</summary>
    public IEnumerable<JobFacts> Jobs()
    {
        var at = new int[_axes.Count];
        if (_axes.Exists(axis => axis.Length == 0))
        {
            yield break;
        }

        do
        {
            Draft draft = new();
            for (var i = 0; i < at.Length; i++)
            {
                _axes[i][at[i]](draft);
            }

            yield return draft.Finish(_topic.Name);
        } while (Advance(at));
    }

    private bool Advance(int[] at)
    {
        for (var i = at.Length - 1; i >= 0; i--)
        {
            if (++at[i] < _axes[i].Length)
            {
                return true;
            }

            at[i] = 0;
        }

        return false;
    }

    private void Add(IEnumerable<Action<Draft>> options) => _axes.Add([.. options]);

    // Not limited by max_attempts: an unclaimed attempt gets a number but does not count, so the number can exceed the maximum.
    private void AddAttempts(List<Predicate> tests)
    {
        List<long> attempts = [.. tests.OfType<AttemptIsAtLeast>().Select(test => test.Least).Append(1).Distinct().OrderDescending()];
        Add(attempts.Select<long, Action<Draft>>(attempt => draft => draft.Attempt = (int)attempt));
    }

    private void AddTags(List<Predicate> tests)
    {
        var tags = tests.OfType<HasTags>().SelectMany(test => test.Tags).Distinct(StringComparer.Ordinal);
        foreach (var tag in tags.Where(tag => !_topic.JobClass.Tags.Contains(tag, StringComparer.Ordinal)))
        {
            Add([draft => draft.Tags.Add(tag), _ => { }]);
        }
    }

    private void AddWorkflows()
    {
        if (_tested.Contains(Attributes.Workflow))
        {
            var values = Named(Attributes.Workflow).Append(UnusedValue.Besides(Named(Attributes.Workflow), "workflow")).Append(null);
            Add(
                values
                    .Where(value => IsPossible(Attributes.Workflow, value))
                    .Select<string?, Action<Draft>>(value => draft => draft.Workflow = value)
            );
        }
    }

    private void AddPrincipals()
    {
        List<RegisteredLabel> same = [.. _topic.Labels.Where(label => label.Spec.Source == LabelSource.Principal)];
        List<string> named =
        [
            .. Named(Attributes.Principal)
                .Concat(same.SelectMany(label => Named(label.Attribute).Concat(label.Spec.Values ?? [])))
                .Distinct(StringComparer.Ordinal),
        ];
        Add(
            named
                .Append(UnusedValue.Besides(named, DefaultPrincipal))
                .Where(value =>
                    IsPossible(Attributes.Principal, value)
                    && same.TrueForAll(label => IsPossible(label.Attribute, value) && label.Allows(value))
                )
                .Select<string, Action<Draft>>(value => draft => draft.Principal = value)
        );
    }

    private void AddStatedLabels(Attributes attributes)
    {
        foreach (
            var label in _topic.Labels.Where(label =>
                label.Spec.Source == LabelSource.Producer && (label.Spec.Required || _tested.Contains(label.Attribute))
            )
        )
        {
            AddLabel(label);
        }

        var registered = _topic.Labels.Select(label => label.Attribute);
        foreach (var attribute in _tested.Except(registered).Where(attribute => attributes.LabelOf(attribute) is not null))
        {
            AddLabel(new RegisteredLabel(attributes.LabelOf(attribute)!, attribute, new LabelSpec()));
        }
    }

    private void AddLabel(RegisteredLabel label)
    {
        List<string> named = [.. Named(label.Attribute).Distinct(StringComparer.Ordinal)];
        var other = label.Spec.Values is null
            ? UnusedValue.Besides(named, "other")
            : label.Spec.Values.FirstOrDefault(value => !named.Contains(value, StringComparer.Ordinal));
        var values = named.Where(label.Allows).Cast<string?>();
        values = other is null ? values : values.Append(other);
        values = label.Spec.Required ? values : values.Append(null);
        Add(
            values
                .Where(value => IsPossible(label.Attribute, value))
                .Select<string?, Action<Draft>>(value => value is null ? _ => { } : draft => draft.Labels[label.Name] = value)
        );
    }

    private void AddPayloads()
    {
        foreach (var place in _topic.Payloads)
        {
            List<int> tested =
            [
                .. place.Labels.Index().Where(label => _tested.Contains(label.Item.Attribute)).Select(label => label.Index),
            ];
            Add(
                place
                    .Choices.Where(choice => tested.TrueForAll(index => IsPossible(place.Labels[index].Attribute, choice.Values[index])))
                    .DistinctBy(
                        choice => string.Join('\n', tested.Select(index => choice.Values[index] is { } value ? "+" + value : "-")),
                        StringComparer.Ordinal
                    )
                    .OrderBy(choice => tested.Count > 0 && choice.Elements is null)
                    .Select<PayloadChoice, Action<Draft>>(choice => draft => draft.Payload.Add(choice))
            );
        }
    }

    private IEnumerable<string> Named(int attribute) => _named[attribute].SelectMany(values => values);

    private bool IsPossible(int attribute, string? value) =>
        value is null
        || _wanted
            .Match.Parts.OfType<IsAnyOf>()
            .Where(test => test.Attribute == attribute)
            .All(test => test.Values.Contains(value, StringComparer.Ordinal) != test.Negated);

    private sealed class Draft
    {
        public string Principal { get; set; } = DefaultPrincipal;

        public SortedDictionary<string, string> Labels { get; } = new(StringComparer.Ordinal);

        public List<string> Tags { get; } = [];

        public List<PayloadChoice> Payload { get; } = [];

        public string? Workflow { get; set; }

        public int Attempt { get; set; } = 1;

        public JobFacts Finish(string topic) =>
            new()
            {
                Principal = Principal,
                Topic = topic,
                Labels = Labels,
                RiskTags = Tags,
                Payload = PayloadChoices.Payload(Payload),
                WorkflowId = Workflow,
                Attempt = Attempt,
            };
    }
}
