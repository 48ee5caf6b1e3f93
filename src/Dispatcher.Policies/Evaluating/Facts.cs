using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Evaluating;

/// <summary>The facts that rules test: the job's facts, with labels and tags as the registry defines them. Reused for each job.</summary>
internal sealed class Facts
{
    private JobFacts _job = null!;
    private CompiledTopic _topic = null!;
    private IReadOnlyDictionary<string, string> _labels = null!;
    private string?[] _values = [];
    private long[] _filledBy = [];
    private long _fill;

    public string Topic => _job.Topic;

    public int Attempt => _job.Attempt;

    /// <summary>Like LINQ's Contains, without its enumerator.</summary>
    public static bool Has(IReadOnlyList<string> texts, string text)
    {
        for (var i = 0; i < texts.Count; i++)
        {
            if (texts[i] == text)
            {
                return true;
            }
        }

        return false;
    }

    public void Fill(JobFacts job, CompiledTopic topic)
    {
        _job = job;
        _topic = topic;
        _labels = Ordinal(job.Labels);
        _fill++;
        if (_values.Length < topic.Attributes.Count)
        {
            _values = new string?[topic.Attributes.Count];
            _filledBy = new long[topic.Attributes.Count];
        }

        Set(Attributes.Principal, job.Principal);
        Set(Attributes.Workflow, job.WorkflowId);
    }

    /// <summary>The value of a label, of the principal or of the workflow. Null: absent.</summary>
    public string? Value(int attribute)
    {
        if (_filledBy[attribute] != _fill)
        {
            Set(attribute, _labels.GetValueOrDefault(_topic.Attributes.LabelOf(attribute)!));
        }

        return _values[attribute];
    }

    public void Set(int attribute, string? value)
    {
        _values[attribute] = value;
        _filledBy[attribute] = _fill;
    }

    /// <summary>The result of testing an absent value.</summary>
    public Truth Absent(int attribute) => _topic.AbsentIsNoMatch.Contains(attribute) ? Truth.False : Truth.Unknown;

    /// <summary>All labels as the rules see them.</summary>
    public IReadOnlyDictionary<string, string> Labels()
    {
        SortedDictionary<string, string> labels = new(StringComparer.Ordinal);
        foreach (
            (var name, var value) in _labels.Concat(_topic.Labels.Select(label => KeyValuePair.Create(label.Name, Value(label.Attribute)!)))
        )
        {
            labels[name] = value!;
        }

        foreach (var absent in labels.Where(label => label.Value is null).Select(label => label.Key).ToList())
        {
            labels.Remove(absent);
        }

        return labels;
    }

    public Truth Tag(string tag)
    {
        if (Has(_topic.JobClass.Tags, tag) || Has(_job.RiskTags, tag))
        {
            return Truth.True;
        }

        return Has(_topic.JobClass.OptionalTags, tag) ? Truth.False : Truth.Unknown;
    }

    /// <summary>The labels with ordinal comparison, regardless of the dictionary's comparer.</summary>
    private static IReadOnlyDictionary<string, string> Ordinal(IReadOnlyDictionary<string, string> labels) =>
        labels switch
        {
            Dictionary<string, string> plain
                when plain.Comparer == StringComparer.Ordinal || plain.Comparer == EqualityComparer<string>.Default => labels,
            SortedDictionary<string, string> sorted when sorted.Comparer == StringComparer.Ordinal => labels,
            _ => new Dictionary<string, string>(labels, StringComparer.Ordinal),
        };
}
