namespace Dispatcher.Base;

/// <summary>
/// A decision needs the bundle in force, and this process cannot read it. The message is retried; no final state may follow from this
/// fault.
/// </summary>
internal sealed class BundleUnavailableException(string hash)
    : Exception($"This process cannot read bundle \"{hash}\", which is in force.");
