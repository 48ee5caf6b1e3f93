namespace Dispatcher.Policies.Evaluating;

/// <summary>A topic, where <c>*</c> stands for one segment and <c>**</c> at the end for all that are left, at least one.</summary>
internal sealed class TopicPattern(string pattern)
{
    private readonly string[] _segments = pattern.Split('.');

    public bool Fits(string topic)
    {
        string[] segments = topic.Split('.');
        for (int i = 0; i < _segments.Length; i++)
        {
            if (i >= segments.Length)
            {
                return false;
            }

            if (_segments[i] == "**")
            {
                return true;
            }

            if (_segments[i] != "*" && _segments[i] != segments[i])
            {
                return false;
            }
        }

        return segments.Length == _segments.Length;
    }
}
