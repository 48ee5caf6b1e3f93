namespace Dispatcher.Policies.Files;

/// <summary>One file of a bundle.</summary>
/// <param name="Path">Relative to the bundle's folder, with <c>/</c> between segments, for example <c>rules/prod.yaml</c>.</param>
/// <param name="Content">The bytes of the file. All files are UTF-8.</param>
public sealed record BundleFile(string Path, ReadOnlyMemory<byte> Content);
