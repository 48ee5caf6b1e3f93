using Dispatcher.Policies.Files;

namespace Dispatcher.Policies;

/// <summary>What became of loading a bundle: the whole bundle and no errors, or no bundle and every error found.</summary>
/// <param name="Bundle">Null when there is at least one error.</param>
/// <param name="Errors">Every error of every file, in the order of the files.</param>
public sealed record BundleLoad(Bundle? Bundle, IReadOnlyList<BundleError> Errors);
