namespace Dispatcher.Policies.Linting;

/// <summary>Makes a value that no rule names. It represents all such values.</summary>
internal static class UnusedValue
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
