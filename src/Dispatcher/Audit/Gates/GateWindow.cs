using System.Globalization;

namespace Dispatcher.Audit.Gates;

/// <summary>
/// The window of time of a gate metric: one of a few fixed durations. The endpoints need no API key and each window costs the database
/// something, so that the number of windows is small. A duration may be written in another unit, such as <c>60m</c> for <c>1h</c>.
/// </summary>
internal static class GateWindow
{
    private static readonly string[] Names = ["5m", "10m", "15m", "1h", "6h", "24h"];

    private static readonly string Allowed = string.Join(", ", Names);

    /// <summary>All windows, the shortest first.</summary>
    public static IReadOnlyList<TimeSpan> All { get; } = [.. Names.Select(name => Parse(name)!.Value)];

    /// <summary>Returns the window, or the error.</summary>
    public static (TimeSpan? Window, string? Error) Read(string? text) =>
        string.IsNullOrEmpty(text) ? (null, $"window is missing; allowed: {Allowed}")
        : Parse(text) is { } window && All.Contains(window) ? (window, null)
        : (null, $"the window is unknown; allowed: {Allowed}");

    private static TimeSpan? Parse(string text)
    {
        var unit = text[^1] switch
        {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            _ => 0,
        };
        return unit > 0 && int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var count)
            ? TimeSpan.FromSeconds((long)count * unit)
            : null;
    }
}
