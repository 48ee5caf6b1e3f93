using System.Globalization;

namespace Dispatcher.CommandLine.Screens;

/// <summary>Durations as people read them.</summary>
internal static class Durations
{
    /// <summary>
    /// In one or two units: <c>41 ms</c>, <c>1.234 s</c>, <c>2 min 5 s</c>, <c>24 h</c>, <c>3 d 4 h</c>. Empty when null.
    /// </summary>
    public static string Words(TimeSpan? duration)
    {
        if (duration is not { } time)
        {
            return "";
        }

        var size = time.Duration();
        var text =
            size.TotalSeconds < 1 ? Of(size.TotalMilliseconds, "ms")
            : size.TotalMinutes < 1 ? string.Create(CultureInfo.InvariantCulture, $"{size.TotalSeconds:0.###} s")
            : size.TotalHours < 1 ? Of(size.TotalMinutes, "min") + Rest(size.Seconds, "s")
            : size.TotalHours < 48 ? Of(size.TotalHours, "h") + Rest(size.Minutes, "min")
            : Of(size.TotalDays, "d") + Rest(size.Hours, "h");
        return time < TimeSpan.Zero ? "-" + text : text;
    }

    private static string Of(double number, string unit) => string.Create(CultureInfo.InvariantCulture, $"{Math.Floor(number):0} {unit}");

    private static string Rest(int number, string unit) =>
        number == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $" {number} {unit}");
}
