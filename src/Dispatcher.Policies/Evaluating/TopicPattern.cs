namespace Dispatcher.Policies.Evaluating;

/// <summary>A topic, where <c>*</c> stands for one segment and <c>**</c> at the end for all that are left, at least one.</summary>
internal sealed record TopicPattern(string Text)
{
    /// <summary>What a rule without a topic fits.</summary>
    public const string Any = "**";

    /// <summary>It fits one topic, itself.</summary>
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
