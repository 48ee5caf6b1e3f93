namespace Dispatcher.UnitTests;

/// <summary>
/// Compares text with a committed file. If they differ, it writes the new text beside that file as <c>.received.txt</c>. Read the
/// difference; if it is wanted, move the file over the <c>.approved.txt</c>.
/// </summary>
internal static class Approved
{
    /// <param name="name">Path below this project without ending, for example <c>Jobs/Transitions</c>.</param>
    /// <param name="lines">The actual lines.</param>
    public static void Matches(string name, IEnumerable<string> lines)
    {
        var seen = string.Join('\n', lines).TrimEnd() + "\n";
        var path = Path.Combine(Repository.Root, "tests", "Dispatcher.UnitTests", name);
        var approved = File.Exists(path + ".approved.txt") ? File.ReadAllText(path + ".approved.txt") : "";
        if (approved == seen)
        {
            File.Delete(path + ".received.txt");
            return;
        }

        File.WriteAllText(path + ".received.txt", seen);
        Assert.Fail(
            $"{name} is not as approved. Compare {name}.received.txt with {name}.approved.txt; if the change is wanted, move it over. "
                + $"First difference: {FirstDifference(approved, seen)}"
        );
    }

    /// <summary>The lines of the committed file.</summary>
    public static string[] Lines(string name) =>
        File.ReadAllLines(Path.Combine(Repository.Root, "tests", "Dispatcher.UnitTests", name + ".approved.txt"));

    private static string FirstDifference(string approved, string seen)
    {
        var (was, now) = (approved.Split('\n'), seen.Split('\n'));
        var line = Enumerable.Range(0, Math.Max(was.Length, now.Length)).First(i => was.ElementAtOrDefault(i) != now.ElementAtOrDefault(i));
        return $"line {line + 1}, approved \"{was.ElementAtOrDefault(line)}\", seen \"{now.ElementAtOrDefault(line)}\".";
    }
}
