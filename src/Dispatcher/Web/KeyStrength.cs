namespace Dispatcher.Web;

/// <summary>What a key that somebody chose must be like. Keys that the server makes are 256 random bits.</summary>
internal static class KeyStrength
{
    public const int Shortest = 24;
    private const int Longest = 512;

    /// <summary>Fewer tell of a repeated word or character.</summary>
    private const int FewestDifferent = 10;

    /// <summary>Why a key is refused, without showing it. Null: it is not.</summary>
    public static string? WhyWeak(string key)
    {
        var different = key.Distinct().Count();
        return key.Length is < Shortest or > Longest ? $"it has {key.Length} characters; allowed are {Shortest} to {Longest}"
            : key.Any(letter => letter is <= ' ' or > '~') ? "it has characters other than visible ASCII; a header cannot carry them"
            : different < FewestDifferent ? $"it has {different} different characters; at least {FewestDifferent} are needed"
            : null;
    }
}
