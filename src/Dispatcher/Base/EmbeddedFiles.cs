namespace Dispatcher.Base;

/// <summary>What lies where in the data folder of an embedded server.</summary>
internal static class EmbeddedFiles
{
    public static string Database(string folder) => Path.Combine(Path.GetFullPath(folder), "dispatcher.db");

    public static string Effects(string folder, string pool) => Path.Combine(Path.GetFullPath(folder), $"effects-{pool}.db");

    /// <summary>Checkpoints of the timeline, and the key that signs them.</summary>
    public static string Audit(string folder) => Path.Combine(Path.GetFullPath(folder), "audit");

    /// <summary>The reference worker's own folder: local repositories below <c>repos</c>, working folders of commands below <c>shell</c>.</summary>
    public static string Work(string folder, string below)
    {
        var path = Path.Combine(Path.GetFullPath(folder), "work", below);
        Directory.CreateDirectory(path);
        return path;
    }

    /// <summary>
    /// Makes the folder and holds it: two embedded servers on one database would each believe that they alone have its messages. Folder and
    /// database are for the server's user alone: they hold payloads, results, hashes of keys and the keys of permits.
    /// </summary>
    public static IDisposable Open(string folder)
    {
        OwnFiles.MakeFolder(folder);
        OwnFiles.Narrow(folder);
        var held = Hold(folder);

        // SQLite gives -wal and -shm the mode of the database itself, so that it must be narrow before SQLite opens it.
        if (!File.Exists(Database(folder)))
        {
            OwnFiles.Open(Database(folder), FileMode.CreateNew).Dispose();
        }

        Array.ForEach(Directory.GetFiles(folder), OwnFiles.Narrow);
        return held;
    }

    private static FileStream Hold(string folder)
    {
        try
        {
            return OwnFiles.Open(Path.Combine(folder, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            throw new ExitException(
                ExitCode.WrongUse,
                $"Another embedded server uses {folder}.",
                "Stop it, or give this one a folder of its own; for several servers use RabbitMQ and PostgreSQL."
            );
        }
    }
}
