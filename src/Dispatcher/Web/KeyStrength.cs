namespace Dispatcher.Web;

/// <summary>The minimum strength of a key from the environment. Keys that the server creates have 256 random bits.</summary>
internal static class KeyStrength
{
    public const int MinLength = 24;
    private const int MaxLength = 512;

    /// <summary>Minimum number of different characters; a repeated word or character has fewer.</summary>
    private const int MinDifferent = 10;

    /// <summary>Why a key is refused; does not contain the key. Null: it is strong enough.</summary>
    public static string? WhyWeak(string key)
    {
        var different = key.Distinct().Count();
        return key.Length is < MinLength or > MaxLength ? $"it has {key.Length} characters; allowed are {MinLength} to {MaxLength}"
            : key.Any(letter => letter is <= ' ' or > '~') ? "it has characters other than visible ASCII; a header cannot carry them"
            : different < MinDifferent ? $"it has {different} different characters; at least {MinDifferent} are needed"
            : null;
    }
}
