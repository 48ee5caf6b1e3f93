namespace Dispatcher.Policies.Evaluating;

/// <summary>
/// Numbers the attributes that rules compare with texts: the principal, the workflow, and each label that a file names. A job's value is
/// then looked up once, not once for each rule.
/// </summary>
internal sealed class Attributes
{
    public const int Principal = 0;
    public const int Workflow = 1;
    private const int FirstLabel = 2;

    private readonly Dictionary<string, int> _labels = new(StringComparer.Ordinal);
    private readonly List<string> _names = [];

    public int Count => FirstLabel + _names.Count;

    public int OfLabel(string name)
    {
        if (!_labels.TryGetValue(name, out var attribute))
        {
            attribute = Count;
            _labels.Add(name, attribute);
            _names.Add(name);
        }

        return attribute;
    }

    /// <summary>The label of an attribute. Null: the attribute is not a label.</summary>
    public string? LabelOf(int attribute) => attribute >= FirstLabel ? _names[attribute - FirstLabel] : null;
}
