namespace Dispatcher.Recovering;

/// <summary>Why an attempt failed, as far as it decides what happens next.</summary>
internal static class FaultClasses
{
    /// <summary>It may pass.</summary>
    public const string Transient = "transient";

    /// <summary>Trying again cannot help.</summary>
    public const string Terminal = "terminal";

    /// <summary>Nobody said.</summary>
    public const string Unknown = "unknown";

    /// <summary>It ran into its limit.</summary>
    public const string Timeout = "timeout";

    /// <summary>Its worker disappeared, attempt after attempt.</summary>
    public const string Lost = "lost";

    /// <summary>Its worker disappeared, and nobody knows whether the work was done.</summary>
    public const string InDoubt = "in_doubt";
}
