namespace Dispatcher.JourneyTests.Staging;

/// <summary>The README of the repository.</summary>
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

    public static string Text() => File.ReadAllText(Path.Combine(Root, "README.md"));

    /// <summary>The page for authors of workers.</summary>
    public static string OfWorkers() => File.ReadAllText(Path.Combine(Root, "src/Dispatcher.Worker/README.md"));
}
