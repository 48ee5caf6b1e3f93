using System.Text.RegularExpressions;
using Dispatcher.UnitTests;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>The shell blocks of the pages, by name: the file, the heading above the block, and a number from the second block on.</summary>
internal static partial class ShellBlocks
{
    private static readonly Lazy<Dictionary<string, IReadOnlyList<string>>> Found = new(Read);

    /// <summary>The names of all, in order.</summary>
    public static IEnumerable<string> Names => Found.Value.Keys;

    /// <summary>The commands of a block, as they stand there. A command may go on in the next line.</summary>
    public static IReadOnlyList<string> Commands(string name) => Found.Value[name];

    private static Dictionary<string, IReadOnlyList<string>> Read()
    {
        var blocks = new Dictionary<string, IReadOnlyList<string>>();
        foreach (var file in Files())
        {
            var heading = "";
            foreach (Match part in HeadingOrBlock().Matches(File.ReadAllText(Path.Combine(Repository.Root, file))))
            {
                heading = part.Groups["heading"] is { Success: true } title ? title.Value : heading;
                if (part.Groups["language"].Value is "bash" or "sh" or "shell" or "console")
                {
                    var first = $"{file}: {heading}";
                    var count = blocks.Keys.Count(name => name == first || name.StartsWith(first + " ", StringComparison.Ordinal));
                    blocks.Add(
                        count == 0 ? first : $"{first} {count + 1}",
                        [.. Command().Matches(part.Groups["text"].Value).Select(command => command.Value.TrimEnd('\n'))]
                    );
                }
            }
        }

        return blocks;
    }

    /// <summary>The pages, by their paths from the root.</summary>
    public static IEnumerable<string> Files() =>
        from folder in (string[])
            [
                ".",
                "policies",
                "ops",
                .. Directory
                    .GetDirectories(Path.Combine(Repository.Root, "src"))
                    .Select(project => Path.GetRelativePath(Repository.Root, project)),
            ]
        from file in Directory.GetFiles(Path.Combine(Repository.Root, folder), "*.md")
        orderby file
        select Path.GetRelativePath(Repository.Root, file).Replace('\\', '/');

    [GeneratedRegex("^(#+ (?<heading>.*)|```(?<language>\\S*).*\n(?<text>[\\s\\S]*?)^```)$", RegexOptions.Multiline)]
    private static partial Regex HeadingOrBlock();

    [GeneratedRegex(@"^(?:.*\\\n)*.+\n", RegexOptions.Multiline)]
    private static partial Regex Command();
}
