namespace Dispatcher.Policies.Evaluating;

/// <summary>A topic pattern: <c>*</c> matches one segment, and <c>**</c> at the end matches one or more.</summary>
internal sealed record TopicPattern(string Text)
{
    /// <summary>The pattern of a rule without a topic.</summary>
    public const string Any = "**";

    /// <summary>Whether the pattern matches exactly one topic.</summary>
    public bool IsExact => !Text.Contains('*', StringComparison.Ordinal);

    public bool Fits(string topic)
    {
        ReadOnlySpan<char> segments = topic;
        var left = segments.Split('.');
        foreach (var wanted in Text.AsSpan().Split('.'))
        {
            var want = Text.AsSpan(wanted);
            if (!left.MoveNext())
            {
                return false;
            }

            if (want is "**")
            {
                return true;
            }

            if (want is not "*" && !want.SequenceEqual(segments[left.Current]))
            {
                return false;
            }
        }

        return !left.MoveNext();
    }
}
