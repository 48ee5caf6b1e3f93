namespace Dispatcher.Base;

/// <summary>Text of another party in a form that every store takes.</summary>
internal static class StoredText
{
    /// <summary>The first <paramref name="longest"/> characters, without U+0000, which PostgreSQL cannot store.</summary>
    public static string Cut(string text, int longest) => Head(text, longest).Replace('\0', '?');

    /// <summary>The first <paramref name="longest"/> characters, one fewer where the cut would divide a surrogate pair.</summary>
    public static string Head(string text, int longest) =>
        text.Length <= longest ? text : text[..(char.IsHighSurrogate(text[longest - 1]) ? longest - 1 : longest)];
}
