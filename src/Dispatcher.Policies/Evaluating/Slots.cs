namespace Dispatcher.Policies.Evaluating;

/// <summary>Numbers what rules compare with texts (the principal, the workflow and each label that a file names), so that a job's value is looked up once, not once for each rule.</summary>
internal sealed class Slots
{
    public const int Principal = 0;
    public const int Workflow = 1;
    private const int FirstLabel = 2;

    private readonly Dictionary<string, int> _labels = new(StringComparer.Ordinal);
    private readonly List<string> _names = [];

    public int Count => FirstLabel + _names.Count;

    public int OfLabel(string name)
    {
        if (!_labels.TryGetValue(name, out var slot))
        {
            slot = Count;
            _labels.Add(name, slot);
            _names.Add(name);
        }

        return slot;
    }

    /// <summary>The name of a label's slot. Null: it is no label's.</summary>
    public string? LabelOf(int slot) => slot >= FirstLabel ? _names[slot - FirstLabel] : null;
}
