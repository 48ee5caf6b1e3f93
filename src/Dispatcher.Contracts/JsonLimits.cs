namespace Dispatcher.Contracts;

/// <summary>
/// How deeply JSON may be nested. Messages and answers wrap a payload, and it may come back as a result, so every
/// reader must accept what the reader before it accepted.
/// </summary>
public static class JsonLimits
{
    /// <summary>Maximum number of levels of a payload and of a result: 60. A number or a string has no level, <c>[]</c> has one.</summary>
    public const int DeepestValue = 60;

    /// <summary>
    /// Maximum number of levels of a whole body: 64, the default of common readers. Dispatcher wraps a payload or result in at most
    /// four.
    /// </summary>
    public const int DeepestBody = DeepestValue + 4;
}
