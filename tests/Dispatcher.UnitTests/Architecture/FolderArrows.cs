using System.Text.RegularExpressions;

namespace Dispatcher.UnitTests.Architecture;

/// <summary>
/// The arrows between the folders of one level: folder A uses folder B when a file of A has a <c>using</c> of B's namespace or names it.
/// </summary>
internal static partial class FolderArrows
{
    /// <summary>The files of the level itself, beside its folders.</summary>
    public const string Root = "(root)";

    /// <summary>Arrows between the first-level folders below <paramref name="path"/>, for example <c>src/Dispatcher/Audit</c>.</summary>
    public static Dictionary<string, SortedSet<string>> Below(string path) => Of(path, Repository.SourceFiles(path));

    /// <summary>The same of given files, whose paths begin with <paramref name="path"/>.</summary>
    public static Dictionary<string, SortedSet<string>> Of(string path, IEnumerable<(string Path, string Text)> files)
    {
        var space = path["src/".Length..].Replace('/', '.');
        var all = files.Select(file => (Folder: FolderOf(path, file.Path), Text: Comments().Replace(file.Text, ""))).ToList();
        var arrows = all.Select(file => file.Folder).Distinct().ToDictionary(folder => folder, _ => new SortedSet<string>());
        // A file of the root namespace can be named without a using, from every folder.
        var unnamed = all.Where(file => Regex.IsMatch(file.Text, $@"(?m)^namespace {Regex.Escape(space)};"))
            .SelectMany(file => Declared().Matches(file.Text).Select(type => (Name: type.Groups[1].Value, file.Folder)))
            .DistinctBy(type => type.Name)
            .ToDictionary(type => type.Name, type => type.Folder, StringComparer.Ordinal);
        foreach (var (folder, text) in all)
        {
            var named = Regex.Matches(text, $@"\b{Regex.Escape(space)}\.(\w+)(?=[.;])").Select(match => match.Groups[1].Value);
            var byName = Names()
                .Matches(Documentation().Replace(text, ""))
                .Where(name => unnamed.ContainsKey(name.Value))
                .Select(name => unnamed[name.Value]);
            arrows[folder].UnionWith(named.Where(other => other != Root && arrows.ContainsKey(other)).Concat(byName));
            arrows[folder].Remove(folder);
        }

        return arrows;
    }

    /// <summary>The folders of one circle in the order of its arrows. Null: there is no circle.</summary>
    public static IReadOnlyList<string>? Circle(IReadOnlyDictionary<string, SortedSet<string>> arrows)
    {
        var done = new HashSet<string>();
        return arrows.Keys.Select(folder => From(folder, [])).FirstOrDefault(circle => circle is not null);

        IReadOnlyList<string>? From(string folder, List<string> path)
        {
            if (path.IndexOf(folder) is >= 0 and var start)
            {
                return [.. path[start..], folder];
            }

            if (!done.Add(folder))
            {
                return null;
            }

            return arrows[folder].Select(next => From(next, [.. path, folder])).FirstOrDefault(circle => circle is not null);
        }
    }

    private static string FolderOf(string path, string file) => file[(path.Length + 1)..].Split('/') is [var folder, _, ..] ? folder : Root;

    // A comment that is not documentation. Documentation counts: a cref needs a using as well.
    [GeneratedRegex(@"(?m)(?<![:/])//(?!/).*$")]
    private static partial Regex Comments();

    [GeneratedRegex(
        @"(?m)^(?:(?:public|internal|sealed|static|abstract|partial|readonly) )*(?:class|record struct|record|struct|interface|enum) (\w+)"
    )]
    private static partial Regex Declared();

    [GeneratedRegex(@"(?m)^ *///.*$")]
    private static partial Regex Documentation();

    [GeneratedRegex(@"(?<![\w.])[A-Z]\w*")]
    private static partial Regex Names();
}
