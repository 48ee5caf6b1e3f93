namespace Dispatcher.Policies.Loading;

/// <summary>Collects every error of a load.</summary>
internal sealed class ErrorList
{
    private readonly List<BundleError> _errors = [];
    private readonly HashSet<YamlNode> _at = new(ReferenceEqualityComparer.Instance);

    public IReadOnlyList<BundleError> Errors => _errors;

    public void Add(YamlNode at, string code, string message, string fix)
    {
        _at.Add(at);
        Add(at.Where, code, message, fix);
    }

    public void Add(string where, string code, string message, string fix) =>
        _errors.Add(new BundleError { Where = where, Code = code, Message = message, Fix = fix });

    /// <summary>What another list holds.</summary>
    public void AddAll(ErrorList others)
    {
        _errors.AddRange(others._errors);
        _at.UnionWith(others._at);
    }

    /// <summary>A word that is not one of the known ones. Answers the nearest, which the fix names and reading goes on with: so what depends on the word is checked too.</summary>
    public string? AddUnknown(YamlNode at, string code, string what, IReadOnlyList<string> known, string otherwise = "write one of these.")
    {
        string? nearest = Nearest.To(at.Text, known);
        AddUnknown(at, code, what, known, nearest, nearest is null ? otherwise : $"did you mean '{nearest}'?");
        return nearest;
    }

    /// <summary>As above, where it is known already what is meant; null if it is not.</summary>
    public void AddUnknown(YamlNode at, string code, string what, IReadOnlyList<string> known, string? meant, string fix)
    {
        if (meant is null)
        {
            _at.Add(at);
        }

        Add(at.Where, code, $"{what} '{at.Text}' is not known; allowed: {(known.Count == 0 ? "none" : string.Join(", ", known))}.", fix);
    }

    /// <summary>Whether something in the node has an error that leaves open what is meant.</summary>
    public bool IsBroken(YamlNode node) =>
        !node.IsWhole || (_at.Count > 0 && (_at.Contains(node) || node.Items.Any(IsBroken) || node.Entries.Any(entry => IsBroken(entry.Key) || IsBroken(entry.Value))));
}
