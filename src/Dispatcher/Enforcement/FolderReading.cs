using Dispatcher.Policies.Files;

namespace Dispatcher.Enforcement;

/// <summary>The result of reading the folder: the hash of its bundle, or the errors.</summary>
internal sealed record FolderReading(string? Hash, IReadOnlyList<BundleError> Errors);

/// <summary>Compares files by path and content, so that an unchanged folder is not parsed again.</summary>
internal sealed class BundleFileComparer : EqualityComparer<BundleFile>
{
    public static readonly BundleFileComparer Instance = new();

    public override bool Equals(BundleFile? x, BundleFile? y) =>
        x is not null && y is not null && x.Path == y.Path && x.Content.Span.SequenceEqual(y.Content.Span);

    public override int GetHashCode(BundleFile file) => file.Path.GetHashCode(StringComparison.Ordinal);
}
