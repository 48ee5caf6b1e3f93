namespace Dispatcher.Base;

/// <summary>Makes untrusted text storable in PostgreSQL and SQLite.</summary>
internal static class StoredText
{
    /// <summary>The first <paramref name="maxLength"/> characters, with U+0000 replaced, which PostgreSQL cannot store.</summary>
    public static string Cut(string text, int maxLength) => Head(text, maxLength).Replace('\0', '?');

    /// <summary>The first <paramref name="maxLength"/> characters; one fewer if the cut would divide a surrogate pair.</summary>
    public static string Head(string text, int maxLength) =>
        text.Length <= maxLength ? text : text[..(char.IsHighSurrogate(text[maxLength - 1]) ? maxLength - 1 : maxLength)];
}
