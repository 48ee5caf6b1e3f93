namespace Dispatcher.Policies;

/// <summary>Repeats what a stranger wrote, in an answer, a row or a log line.</summary>
public static class Excerpt
{
    /// <summary>The text, short enough to repeat, on one line and without what a terminal would obey: <c>a?b…</c></summary>
    /// <param name="text">What was seen.</param>
    /// <param name="longest">Most characters that are repeated, from 1.</param>
    public static string Of(string text, int longest)
    {
        // Not between the halves of a surrogate pair: half of one is no text.
        string excerpt = text.Length <= longest ? text : text[..(char.IsHighSurrogate(text[longest - 1]) ? longest - 1 : longest)] + "…";
        return excerpt.Any(char.IsControl) ? new string([.. excerpt.Select(c => char.IsControl(c) ? '?' : c)]) : excerpt;
    }
}
