using Dispatcher.Policies.Texts;

namespace Dispatcher.Policies.Files;

/// <summary>Collects every error of a load, up to <see cref="Most"/>: whoever has more has one mistake repeated, and the list is logged, stored in memory and sent.</summary>
internal sealed class ErrorList
{
    /// <summary>Most errors that are listed.</summary>
    public const int Most = 200;

    /// <summary>Most known words that an error names: all keys of a rule, but not a thousand topics.</summary>
    private const int MostKnown = 12;

    private const int LongestWord = 128;
    private const int LongestList = 512;

    private readonly List<BundleError> _errors = [];
    private readonly HashSet<YamlNode> _at = new(ReferenceEqualityComparer.Instance);

    /// <summary>The errors, and one more that says so where there are more.</summary>
    public IReadOnlyList<BundleError> Errors => _errors;

    /// <summary>How many there are, listed or not: grows with each.</summary>
    public int Count { get; private set; }

    /// <summary>Whether what is added now is only counted, so that it need not be put into words.</summary>
    public bool IsFull => Count > Most;

    public void Add(YamlNode at, string code, string message, string fix)
    {
        _at.Add(at);
        Add(at.Where, code, message, fix);
    }

    public void Add(string where, string code, string message, string fix)
    {
        Count++;
        if (Count <= Most)
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
        else if (Count == Most + 1)
        {
            _errors.Add(
                new BundleError
                {
                    Where = where,
                    Code = BundleErrorCodes.TooManyErrors,
                    Message = $"there are more errors than the {Most} that are listed; allowed: none.",
                    Fix = "correct these and load it again.",
                }
            );
        }
    }

    /// <summary>What another list holds.</summary>
    public void AddAll(ErrorList others)
    {
        foreach (var error in others._errors)
        {
            Add(error.Where, error.Code, error.Message, error.Fix);
        }

        _at.UnionWith(others._at);
    }

    /// <summary>A word that is not one of the known ones. Answers the nearest, which the fix names and reading goes on with: so what depends on the word is checked too.</summary>
    public string? AddUnknown(YamlNode at, string code, string what, IReadOnlyList<string> known, string otherwise = "write one of these.")
    {
        var nearest = IsFull ? null : Nearest.To(at.Text, known);
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

        Add(
            at.Where,
            code,
            IsFull
                ? ""
                : $"{what} '{Excerpt.Of(at.Text, LongestWord)}' is not known; allowed: {(known.Count == 0 ? "none" : Some(known))}.",
            fix
        );
    }

    /// <summary>Whether something in the node has an error that leaves open what is meant.</summary>
    public bool IsBroken(YamlNode node) =>
        !node.IsWhole
        || (
            _at.Count > 0
            && (_at.Contains(node) || node.Items.Any(IsBroken) || node.Entries.Any(entry => IsBroken(entry.Key) || IsBroken(entry.Value)))
        );

    /// <summary>Known words for an error, as many as help.</summary>
    public static string Some(IReadOnlyList<string> known) =>
        Excerpt.Of(string.Join(", ", known.Take(MostKnown)), LongestList)
        + (known.Count > MostKnown ? $" and {known.Count - MostKnown} more" : "");
}
