namespace Dispatcher.Policies.Evaluating;

/// <summary>The three truth values of Kleene logic, ordered so that "and" is the lesser and "or" the greater of two.</summary>
internal enum Truth
{
    False,
    Unknown,
    True,
}

internal static class Kleene
{
    public static Truth Of(bool value) => value ? Truth.True : Truth.False;

    public static Truth Not(Truth value) => (Truth)((int)Truth.True - (int)value);

    public static Truth And(Truth a, Truth b) => a < b ? a : b;

    public static Truth Or(Truth a, Truth b) => a > b ? a : b;
}
