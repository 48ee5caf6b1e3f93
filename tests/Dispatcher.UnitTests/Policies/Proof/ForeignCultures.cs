using System.Globalization;

namespace Dispatcher.UnitTests.Policies.Proof;

/// <summary>
/// Cultures with other formats of numbers and times. The program runs without culture data, so these settings are made explicitly.
/// </summary>
internal static class ForeignCultures
{
    public static readonly CultureInfo[] All = [Make(",", ".", "~"), Make("٫", "٬", "\u2212")];

    public static void In(CultureInfo culture, Action action)
    {
        var before = CultureInfo.CurrentCulture;
        CultureInfo.CurrentCulture = culture;
        try
        {
            action();
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    private static CultureInfo Make(string point, string separator, string minus)
    {
        var culture = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        culture.NumberFormat.NumberDecimalSeparator = point;
        culture.NumberFormat.NumberGroupSeparator = separator;
        culture.NumberFormat.NegativeSign = minus;
        culture.DateTimeFormat.DateSeparator = separator;
        culture.DateTimeFormat.TimeSeparator = separator;
        return culture;
    }
}
