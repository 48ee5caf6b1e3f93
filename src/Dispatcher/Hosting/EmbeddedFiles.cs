namespace Dispatcher.Hosting;

/// <summary>What lies where in the data folder of an embedded server.</summary>
internal static class EmbeddedFiles
{
    public static string Database(string folder) => Path.Combine(Path.GetFullPath(folder), "dispatcher.db");
}
