using System.Globalization;

namespace Dispatcher.Gates;

/// <summary>The time a gate looks back: a whole number of seconds, minutes or hours, as <c>30s</c>, <c>10m</c>, <c>2h</c>; at most 24 hours.</summary>
internal static class GateWindow
{
    private const long Longest = 24 * 60 * 60;

    /// <summary>The window, or why it is none.</summary>
    public static (TimeSpan? Window, string? Error) Read(string? text)
    {
        if (string.IsNullOrEmpty(text))
        {
            return (null, "window is missing; for example ?window=10m");
        }

        var unit = text[^1] switch { 's' => 1, 'm' => 60, 'h' => 3600, _ => 0 };
        if (unit == 0 || !int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var count) || count == 0)
        {
            return (null, "window must be a number above 0 and s, m or h; for example ?window=10m");
        }

        return (long)count * unit <= Longest ? (TimeSpan.FromSeconds((long)count * unit), null) : (null, "window must be at most 24h");
    }
}
