using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Dispatcher.UnitTests.Architecture;

/// <summary>Compares the tables of <c>src/README.md</c> with the code, and finds circles.</summary>
public sealed partial class FolderArrowsTests
{
    private const string Everywhere = "Base";
    private const string ProjectTable = "Projects";

    private static readonly string[] Projects =
    [
        .. Directory.EnumerateDirectories(Path.Combine(Repository.Root, "src")).Select(folder => Path.GetFileName(folder)),
    ];

    public static TheoryData<string> Tables => [.. Sections().Keys];

    [Fact]
    public void Every_project_with_folders_has_a_table() =>
        Assert.Empty(Projects.Where(project => FolderArrows.Below($"src/{project}").Count > 1).Except(Sections().Keys));

    [Fact]
    public void Table_of_projects_lists_their_references()
    {
        var table = Rows(ProjectTable);
        var references = Projects.ToDictionary(project => project, References);

        Assert.Equal(Projects.Order(StringComparer.Ordinal), table.Select(row => row.Folder).Order(StringComparer.Ordinal));
        Assert.All(table, row => Assert.Equal(references[row.Folder], row.Uses.Order(StringComparer.Ordinal)));
        Assert.All(
            table.Index(),
            row => Assert.Subset(table.Take(row.Index).Select(above => above.Folder).ToHashSet(), row.Item.Uses.ToHashSet())
        );
    }

    [Theory]
    [MemberData(nameof(Tables))]
    public void Table_lists_the_folders_and_arrows_of_its_project(string project)
    {
        var table = Sections()[project];
        var arrows = FolderArrows.Below($"src/{project}");
        if (project == "Dispatcher")
        {
            // Program.cs alone.
            arrows.Remove(FolderArrows.Root);
        }

        Assert.Equal(arrows.Keys.Order(StringComparer.Ordinal), table.Select(row => row.Folder).Order(StringComparer.Ordinal));
        Assert.All(
            table,
            row =>
                Assert.Equal(
                    arrows[row.Folder].Where(folder => project != "Dispatcher" || folder != Everywhere),
                    row.Uses.Order(StringComparer.Ordinal)
                )
        );
    }

    [Theory]
    [MemberData(nameof(Tables))]
    public void Row_names_only_folders_above_it(string project)
    {
        var table = Sections()[project];
        Assert.All(
            table.Index(),
            row => Assert.Subset(table.Take(row.Index).Select(above => above.Folder).ToHashSet(), row.Item.Uses.ToHashSet())
        );
    }

    [Fact]
    public void Folders_form_no_circle_at_any_level() =>
        Assert.All(
            Projects.Select(project => $"src/{project}").SelectMany(Levels),
            level =>
            {
                var circle = FolderArrows.Circle(FolderArrows.Below(level));
                Assert.True(circle is null, $"{level}: {string.Join(" -> ", circle ?? [])}");
            }
        );

    [Fact]
    public void The_server_has_at_most_16_folders() => Assert.InRange(Sections()["Dispatcher"].Count, 1, 16);

    [Theory]
    [InlineData("using Dispatcher.C;")]
    [InlineData("using static Dispatcher.C.Type;")]
    [InlineData("using Alias = Dispatcher.C.Type;")]
    [InlineData("class A { Dispatcher.C.Type a; }")]
    public void Planted_circle_is_found(string ofA)
    {
        (string Path, string Text)[] planted =
        [
            ("src/Dispatcher/A/A.cs", ofA),
            ("src/Dispatcher/B/Deep/B.cs", "using Dispatcher.A;"),
            ("src/Dispatcher/C/C.cs", "using Dispatcher.B.Deep;"),
        ];

        Assert.Equal(["A", "C", "B", "A"], FolderArrows.Circle(FolderArrows.Of("src/Dispatcher", planted)));
    }

    [Fact]
    public void Planted_circle_through_the_root_of_a_project_is_found()
    {
        (string Path, string Text)[] planted =
        [
            ("src/Lib/Entry.cs", "using Lib.A;\nnamespace Lib;\npublic sealed class Entry;"),
            ("src/Lib/A/A.cs", "class A(Entry entry);"),
        ];

        Assert.NotNull(FolderArrows.Circle(FolderArrows.Of("src/Lib", planted)));
    }

    private static IEnumerable<string> Levels(string path) =>
        Directory
            .EnumerateDirectories(Path.Combine(Repository.Root, path))
            .Where(folder => Path.GetFileName(folder) is not ("bin" or "obj"))
            .SelectMany(folder => Levels($"{path}/{Path.GetFileName(folder)}"))
            .Prepend(path);

    private static IEnumerable<string> References(string project) =>
        XDocument
            .Load(Path.Combine(Repository.Root, "src", project, project + ".csproj"))
            .Descendants("ProjectReference")
            .Select(reference => Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value.Replace('\\', '/')))
            .Order(StringComparer.Ordinal);

    /// <summary>The tables of folders, by project.</summary>
    private static Dictionary<string, List<Row>> Sections() =>
        Bodies().Where(section => section.Key != ProjectTable).ToDictionary(section => section.Key, section => Rows(section.Key));

    private static Dictionary<string, string> Bodies() =>
        Section()
            .Matches(File.ReadAllText(Path.Combine(Repository.Root, "src", "README.md")))
            .ToDictionary(section => section.Groups["name"].Value, section => section.Groups["body"].Value);

    private static List<Row> Rows(string section) =>
        Line()
            .Matches(Bodies()[section])
            .Select(line => new Row(
                line.Groups["folder"].Value,
                line.Groups["uses"].Value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            ))
            .ToList();

    [GeneratedRegex(@"(?m)^## (?<name>\S+)\n(?<body>(?:(?!^## ).*\n)*)")]
    private static partial Regex Section();

    [GeneratedRegex(@"(?m)^\| (?!folder |project )(?<folder>[\w.()]+) \| [^|]+ \|(?<uses>[^|]*)\|$")]
    private static partial Regex Line();

    private sealed record Row(string Folder, IReadOnlyList<string> Uses);
}
