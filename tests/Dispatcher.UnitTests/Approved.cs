namespace Dispatcher.UnitTests;

/// <summary>
/// Compares text with a committed file. When they differ, what was seen lies beside it as <c>.received.txt</c>: read the difference, and when it is meant,
/// move it over the <c>.approved.txt</c>.
/// </summary>
internal static class Approved
{
    /// <param name="name">Path below this project without ending, for example <c>Jobs/Transitions</c>.</param>
    /// <param name="lines">What was seen.</param>
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
            $"{name} is not as approved. Compare {name}.received.txt with {name}.approved.txt; when the change is meant, move it over. First difference: {FirstDifference(approved, seen)}"
        );
    }

    private static string FirstDifference(string approved, string seen)
    {
        var (was, now) = (approved.Split('\n'), seen.Split('\n'));
        var line = Enumerable.Range(0, Math.Max(was.Length, now.Length)).First(i => was.ElementAtOrDefault(i) != now.ElementAtOrDefault(i));
        return $"line {line + 1}, approved \"{was.ElementAtOrDefault(line)}\", seen \"{now.ElementAtOrDefault(line)}\".";
    }
}
