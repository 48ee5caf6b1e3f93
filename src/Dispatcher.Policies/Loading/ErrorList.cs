namespace Dispatcher.Policies.Loading;

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

    /// <summary>The errors, and one more that says so where there are more.</summary>
    public IReadOnlyList<BundleError> Errors => _errors;

    /// <summary>How many there are, listed or not: grows with each.</summary>
    public int Count { get; private set; }

    /// <summary>Whether what is added now is only counted, so that it need not be put into words.</summary>
    public bool IsFull => Count > Most;

    public void Add(YamlNode at, string code, string message, string fix) => Add(at.Where, code, message, fix);

    public void Add(string where, string code, string message, string fix)
    {
        Count++;
        if (Count <= Most)
        {
            _errors.Add(new BundleError { Where = where, Code = code, Message = message, Fix = fix });
        }
        else if (Count == Most + 1)
        {
            _errors.Add(new BundleError
            {
                Where = where,
                Code = BundleErrorCodes.TooManyErrors,
                Message = $"there are more errors than the {Most} that are listed; allowed: none.",
                Fix = "correct these and load it again.",
            });
        }
    }

    /// <summary>A word that is not one of the known ones; the fix names the nearest.</summary>
    public void AddUnknown(YamlNode at, string code, string what, IReadOnlyList<string> known)
    {
        string? nearest = IsFull ? null : Nearest.To(at.Text, known);
        string fix = nearest is null ? "remove it." : $"did you mean '{nearest}'?";
        Add(at, code, IsFull ? "" : $"{what} '{Excerpt.Of(at.Text, LongestWord)}' is not known; allowed: {Some(known)}.", fix);
    }

    /// <summary>Known words for an error, as many as help.</summary>
    public static string Some(IReadOnlyList<string> known) =>
        Excerpt.Of(string.Join(", ", known.Take(MostKnown)), LongestList) + (known.Count > MostKnown ? $" and {known.Count - MostKnown} more" : "");
}
