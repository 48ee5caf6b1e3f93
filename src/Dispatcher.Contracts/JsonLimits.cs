namespace Dispatcher.Contracts;

/// <summary>
/// How deeply JSON may be nested. A payload is wrapped by messages and answers, and may come back as a result: each step must be able to
/// read what the one before let through.
/// </summary>
public static class JsonLimits
{
    /// <summary>Most levels of a payload and of a result: 60. A number or text has no level, <c>[]</c> has one.</summary>
    public const int DeepestValue = 60;

    /// <summary>
    /// Most levels of a whole body: 64, the default of common readers. What Dispatcher puts around a payload or result takes at most four.
    /// </summary>
    public const int DeepestBody = DeepestValue + 4;
}
