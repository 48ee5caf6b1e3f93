namespace Dispatcher.Base;

/// <summary>What must be decided now cannot be, without the bundle in force: nothing final may come of it.</summary>
internal sealed class BundleUnavailableException(string hash)
    : Exception($"Bundle \"{hash}\" is in force, and this process cannot read it.");
