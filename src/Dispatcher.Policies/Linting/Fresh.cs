namespace Dispatcher.Policies.Linting;

/// <summary>Makes a value that nobody named: it stands for all of these.</summary>
internal static class Fresh
{
    public static string Besides(IEnumerable<string> named, string value)
    {
        HashSet<string> taken = new(named, StringComparer.Ordinal);
        while (taken.Contains(value))
        {
            value += "-x";
        }

        return value;
    }
}
