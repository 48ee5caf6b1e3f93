namespace Dispatcher.JourneyTests.Staging;

/// <summary>The README of the repository.</summary>
internal static class Readme
{
    public static string Text()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "README.md")))
        {
            folder = folder.Parent;
        }

        return File.ReadAllText(Path.Combine(folder.FullName, "README.md"));
    }
}
