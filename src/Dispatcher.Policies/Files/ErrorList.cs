using Dispatcher.Policies.Texts;

namespace Dispatcher.Policies.Files;

/// <summary>
/// Collects the errors of a load, up to <see cref="MaxErrors"/>. More errors usually repeat one mistake, and the list is logged, stored and
/// sent.
/// </summary>
internal sealed class ErrorList
{
    /// <summary>The maximum number of listed errors.</summary>
    public const int MaxErrors = 200;

    /// <summary>The maximum number of known words in an error: enough for all keys of a rule, but not for a thousand topics.</summary>
    private const int MaxKnown = 12;

    private const int MaxWordLength = 128;
    private const int MaxListLength = 512;

    private readonly List<BundleError> _errors = [];
    private readonly HashSet<YamlNode> _at = new(ReferenceEqualityComparer.Instance);

    /// <summary>The errors, and one more that reports that the list is cut.</summary>
    public IReadOnlyList<BundleError> Errors => _errors;

    /// <summary>The number of errors, listed or not. It grows with each error.</summary>
    public int Count { get; private set; }

    /// <summary>Whether further errors are only counted, so that callers can skip their texts.</summary>
    public bool IsFull => Count > MaxErrors;

    public void Add(YamlNode at, string code, string message, string fix)
    {
        _at.Add(at);
        Add(at.Where, code, message, fix);
    }

    public void Add(string where, string code, string message, string fix)
    {
        Count++;
        if (Count <= MaxErrors)
        {
            _errors.Add(
                new BundleError
                {
                    Where = where,
                    Code = code,
                    Message = message,
                    Fix = fix,
                }
            );
        }
        else if (Count == MaxErrors + 1)
        {
            _errors.Add(
                new BundleError
                {
                    Where = where,
                    Code = BundleErrorCodes.TooManyErrors,
                    Message = $"more than {MaxErrors} errors exist, and only the first {MaxErrors} are listed; allowed: none.",
                    Fix = "correct the listed errors and load the bundle again.",
                }
            );
        }
    }

    /// <summary>Adds the errors of another list.</summary>
    public void AddAll(ErrorList others)
    {
        foreach (var error in others._errors)
        {
            Add(error.Where, error.Code, error.Message, error.Fix);
        }

        _at.UnionWith(others._at);
    }

    /// <summary>
    /// Reports a word that is not known. Returns the nearest known word, which the fix names. Reading continues with that word, so that the
    /// parts that depend on it are checked too.
    /// </summary>
    public string? AddUnknown(YamlNode at, string code, string what, IReadOnlyList<string> known, string otherwise = "write one of these.")
    {
        var nearest = IsFull ? null : Nearest.To(at.Text, known);
        AddUnknown(at, code, what, known, nearest, nearest is null ? otherwise : $"did you mean '{nearest}'?");
        return nearest;
    }

    /// <summary>As above, for a word whose intended meaning the caller determined. Null: it is not known.</summary>
    public void AddUnknown(YamlNode at, string code, string what, IReadOnlyList<string> known, string? meant, string fix)
    {
        if (meant is null)
        {
            _at.Add(at);
        }

        Add(
            at.Where,
            code,
            IsFull
                ? ""
                : $"{what} '{Excerpt.Of(at.Text, MaxWordLength)}' is not known; allowed: {(known.Count == 0 ? "none" : Some(known))}.",
            fix
        );
    }

    /// <summary>Whether the node contains an error that leaves its meaning open.</summary>
    public bool IsBroken(YamlNode node) =>
        !node.IsWhole
        || (
            _at.Count > 0
            && (_at.Contains(node) || node.Items.Any(IsBroken) || node.Entries.Any(entry => IsBroken(entry.Key) || IsBroken(entry.Value)))
        );

    /// <summary>Known words for an error text, cut to a readable number.</summary>
    public static string Some(IReadOnlyList<string> known) =>
        Excerpt.Of(string.Join(", ", known.Take(MaxKnown)), MaxListLength)
        + (known.Count > MaxKnown ? $" and {known.Count - MaxKnown} more" : "");
}
