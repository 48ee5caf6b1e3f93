namespace Dispatcher.Benchmarks.Staging;

/// <summary>The checkout that the program was built from.</summary>
internal static class Repository
{
    public static string Root { get; } = Find();

    private static string Find()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Dispatcher.sln")))
        {
            folder =
                Path.GetDirectoryName(folder)
                ?? throw new InvalidOperationException("The benchmarks do not run from below the repository: ops/servers.sh is needed.");
        }

        return folder;
    }
}
