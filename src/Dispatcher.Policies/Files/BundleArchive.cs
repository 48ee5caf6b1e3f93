using System.Text.Json;
using System.Text.Json.Serialization;
using Dispatcher.Policies.Texts;

namespace Dispatcher.Policies.Files;

/// <summary>Hashes, packs and unpacks the files of a bundle in their canonical form.</summary>
internal static class BundleArchive
{
    public static string Hash(IReadOnlyList<BundleFile> files)
    {
        using CanonicalHash hash = new("dispatcher/bundle/v1");
        foreach (var file in Covered(files))
        {
            hash.Add(file.Path);
            hash.Add(file.Content.Span);
        }

        return hash.FinishHex();
    }

    public static byte[] Pack(IReadOnlyList<BundleFile> files)
    {
        PackedFile[] packed = [.. Covered(files).Select(file => new PackedFile(file.Path, file.Content.ToArray()))];
        return JsonSerializer.SerializeToUtf8Bytes(new PackedBundle(1, packed), ArchiveJson.Default.PackedBundle);
    }

    /// <summary>The files of an archive. Null: the archive is damaged or of another version, and the list has the error.</summary>
    public static IReadOnlyList<BundleFile>? Unpack(ReadOnlyMemory<byte> archive, ErrorList errors)
    {
        string seen;
        try
        {
            var bundle = JsonSerializer.Deserialize(archive.Span, ArchiveJson.Default.PackedBundle);
            if (bundle is { V: 1 } && !bundle.Files.Contains(null))
            {
                return [.. bundle.Files.Select(file => new BundleFile(file!.Path, file.Content))];
            }

            seen = $"the version is {bundle?.V}, or a file is null.";
        }
        catch (JsonException error)
        {
            seen = error.Message;
        }

        errors.Add(
            "archive",
            BundleErrorCodes.BadArchive,
            $"{seen} Allowed: an archive of version 1.",
            "store the bundle again from its folder."
        );
        return null;
    }

    private static IOrderedEnumerable<BundleFile> Covered(IReadOnlyList<BundleFile> files) =>
        files.Where(file => !BundlePaths.IsCase(file.Path)).OrderBy(file => file.Path, StringComparer.Ordinal);
}

internal sealed record PackedFile([property: JsonPropertyName("path")] string Path, [property: JsonPropertyName("content")] byte[] Content);

internal sealed record PackedBundle(
    [property: JsonPropertyName("v")] int V,
    [property: JsonPropertyName("files")] IReadOnlyList<PackedFile?> Files
);

[JsonSourceGenerationOptions(
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true
)]
[JsonSerializable(typeof(PackedBundle))]
internal sealed partial class ArchiveJson : JsonSerializerContext;
