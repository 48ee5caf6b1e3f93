namespace Dispatcher.Base;

/// <summary>The paths in the data folder of an embedded server.</summary>
internal static class EmbeddedFiles
{
    public static string Database(string folder) => Path.Combine(Path.GetFullPath(folder), "dispatcher.db");

    public static string Effects(string folder, string pool) => Path.Combine(Path.GetFullPath(folder), $"effects-{pool}.db");

    /// <summary>Checkpoints of the timeline, and the key that signs them.</summary>
    public static string Audit(string folder) => Path.Combine(Path.GetFullPath(folder), "audit");

    /// <summary>
    /// Makes and returns a folder of the reference worker: <c>repos</c> for local repositories, <c>shell</c> for commands.
    /// </summary>
    public static string Work(string folder, string below)
    {
        var path = Path.Combine(Path.GetFullPath(folder), "work", below);
        Directory.CreateDirectory(path);
        return path;
    }

    /// <summary>
    /// Makes the folder and locks it until disposed: two embedded servers on one database would both send its messages. Folder and database
    /// are readable by the server's user only: they hold payloads, results, hashes of API keys and the keys that sign permits.
    /// </summary>
    public static IDisposable Open(string folder)
    {
        PrivateFiles.MakeFolder(folder);
        PrivateFiles.MakePrivate(folder);
        var folderLock = Lock(folder);

        // SQLite gives -wal and -shm the mode of the database, so its mode must be set before SQLite opens it.
        if (!File.Exists(Database(folder)))
        {
            PrivateFiles.Open(Database(folder), FileMode.CreateNew).Dispose();
        }

        Array.ForEach(Directory.GetFiles(folder), PrivateFiles.MakePrivate);
        return folderLock;
    }

    private static FileStream Lock(string folder)
    {
        try
        {
            return PrivateFiles.Open(Path.Combine(folder, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            throw new ExitException(
                ExitCode.WrongUse,
                $"Another embedded server uses {folder}.",
                "Stop it, or give this server another folder; several servers need RabbitMQ and PostgreSQL."
            );
        }
    }
}
