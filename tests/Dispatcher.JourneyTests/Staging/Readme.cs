namespace Dispatcher.JourneyTests.Staging;

/// <summary>The pages that users follow: README.md, and those of ops, of policies and of the projects.</summary>
internal static class Readme
{
    /// <summary>The folder of the repository.</summary>
    public static string Root
    {
        get
        {
            var folder = new DirectoryInfo(AppContext.BaseDirectory);
            while (!File.Exists(Path.Combine(folder!.FullName, "README.md")))
            {
                folder = folder.Parent;
            }

            return folder.FullName;
        }
    }

    /// <summary>The text of all pages, one after the other.</summary>
    public static string Text() => string.Join('\n', ShellBlocks.Files().Select(file => File.ReadAllText(Path.Combine(Root, file))));

    /// <summary>The page for authors of workers.</summary>
    public static string OfWorkers() => File.ReadAllText(Path.Combine(Root, "src/Dispatcher.Worker/README.md"));
}
