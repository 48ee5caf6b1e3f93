using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Evaluating;

/// <summary>What is tested: the job's facts after the registry has had its say on labels and tags. Filled anew for each job.</summary>
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

    /// <summary>As LINQ's Contains, without its enumerator.</summary>
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
        if (_values.Length < topic.Slots.Count)
        {
            _values = new string?[topic.Slots.Count];
            _filledBy = new long[topic.Slots.Count];
        }

        Set(Slots.Principal, job.Principal);
        Set(Slots.Workflow, job.WorkflowId);
    }

    /// <summary>The value of a label, of the principal or of the workflow. Null: absent.</summary>
    public string? Value(int slot)
    {
        if (_filledBy[slot] != _fill)
        {
            Set(slot, _labels.GetValueOrDefault(_topic.Slots.LabelOf(slot)!));
        }

        return _values[slot];
    }

    public void Set(int slot, string? value)
    {
        _values[slot] = value;
        _filledBy[slot] = _fill;
    }

    /// <summary>What a test of an absent value gives.</summary>
    public Truth Absent(int slot) => _topic.AbsentIsNoMatch.Contains(slot) ? Truth.False : Truth.Unknown;

    /// <summary>All labels, as the rules see them.</summary>
    public IReadOnlyDictionary<string, string> Labels()
    {
        SortedDictionary<string, string> labels = new(StringComparer.Ordinal);
        foreach (
            (var name, var value) in _labels.Concat(_topic.Labels.Select(label => KeyValuePair.Create(label.Name, Value(label.Slot)!)))
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

    /// <summary>Labels are compared ordinal, whatever the dictionary thinks.</summary>
    private static IReadOnlyDictionary<string, string> Ordinal(IReadOnlyDictionary<string, string> labels) =>
        labels switch
        {
            Dictionary<string, string> plain
                when plain.Comparer == StringComparer.Ordinal || plain.Comparer == EqualityComparer<string>.Default => labels,
            SortedDictionary<string, string> sorted when sorted.Comparer == StringComparer.Ordinal => labels,
            _ => new Dictionary<string, string>(labels, StringComparer.Ordinal),
        };
}
