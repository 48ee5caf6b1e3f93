using Dispatcher.Policies.Files;

namespace Dispatcher.Policies;

/// <summary>The result of loading a bundle: the bundle and no errors, or no bundle and every error.</summary>
/// <param name="Bundle">Null when there is at least one error.</param>
/// <param name="Errors">Every error of every file, in the order of the files.</param>
public sealed record BundleLoadResult(Bundle? Bundle, IReadOnlyList<BundleError> Errors);
