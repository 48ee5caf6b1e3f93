using System.Text.RegularExpressions;

namespace Dispatcher.Base;

/// <summary>The form of a principal. Broker users, subjects of keys, persons and groups share it, and one namespace.</summary>
internal static partial class PrincipalName
{
    /// <summary>Whether the text has 1 to 64 characters of <c>a-z</c>, <c>0-9</c>, <c>_</c> and <c>-</c>.</summary>
    public static bool IsValid(string text) => Pattern().IsMatch(text);

    [GeneratedRegex(@"^[a-z0-9_-]{1,64}\z")]
    private static partial Regex Pattern();
}
