using System.Text.RegularExpressions;

namespace Dispatcher.UnitTests.Policies.Format;

/// <summary>The files and commands that policies/README.md shows.</summary>
internal static partial class GuideFiles
{
    private const string Added = "# topics.yaml, added under pools and topics\n";

    private static string Text { get; } = File.ReadAllText(Path.Combine(Repository.Root, "policies", "README.md"));

    /// <summary>The YAML blocks, each with the path that its first line names.</summary>
    public static IReadOnlyList<(string Path, string Text)> Yaml { get; } =
    [.. Blocks("yaml").Select(block => (PathComment().Match(block).Groups[1].Value, block))];

    /// <summary>The commands, without their comments, and with an example for each name in angle brackets.</summary>
    public static IReadOnlyList<string> Commands { get; } =
    [
        .. Blocks("bash")
            .SelectMany(block => block.Split('\n'))
            .Where(line => line.StartsWith("dispatcher ", StringComparison.Ordinal))
            .Select(line => Filled(line.Split(" #")[0].Trim())),
    ];

    /// <summary>The words of a command as a shell hands them to the program.</summary>
    public static string[] Words(string command) => [.. Word().Matches(command).Select(word => word.Value.Trim('\'')).Skip(1)];

    /// <summary>Writes the draft that the guide describes: a copy of the shipped folder, with each file added.</summary>
    public static void WriteDraft(string folder)
    {
        CopyShipped(folder);
        foreach ((var path, var text) in Yaml.Concat(Json()))
        {
            var file = Path.Combine(folder, path);
            File.WriteAllText(file, text.StartsWith(Added, StringComparison.Ordinal) ? Merge(File.ReadAllText(file), text) : text);
        }
    }

    private static string Filled(string command) =>
        command
            .Replace("<job_id>", "0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10", StringComparison.Ordinal)
            .Replace("<hash>", "3f2b8c6d", StringComparison.Ordinal)
            .Replace("<other_hash>", "9d1a3f2b", StringComparison.Ordinal);

    private static IEnumerable<(string, string)> Json() =>
        JsonBlock().Matches(Text).Select(block => (block.Groups[1].Value, block.Groups[2].Value));

    private static IEnumerable<string> Blocks(string language) =>
        Regex
            .Matches(Text, $"^```{language}\n(.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline)
            .Select(block => block.Groups[1].Value);

    private static void CopyShipped(string folder)
    {
        var shipped = Path.Combine(Repository.Root, "policies");
        foreach (var file in Directory.GetFiles(shipped, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(folder, Path.GetRelativePath(shipped, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
    }

    private static string Merge(string registry, string added)
    {
        var parts = added[(added.IndexOf("pools:\n", StringComparison.Ordinal) + "pools:\n".Length)..].Split("topics:\n");
        return registry
            .Replace("\npools:\n", "\npools:\n" + parts[0], StringComparison.Ordinal)
            .Replace("\ntopics:\n", "\ntopics:\n" + parts[1], StringComparison.Ordinal);
    }

    [GeneratedRegex("^# ([a-z./]+)")]
    private static partial Regex PathComment();

    [GeneratedRegex("^```json ([a-z./-]+)\n(.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex JsonBlock();

    [GeneratedRegex(@"'[^']*'|\S+")]
    private static partial Regex Word();
}
