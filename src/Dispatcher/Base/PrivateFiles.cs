namespace Dispatcher.Base;

/// <summary>
/// Makes files and folders that only the server's user may read, independent of the umask. On Windows, they inherit the permissions of the
/// parent folder.
/// </summary>
internal static class PrivateFiles
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>
    /// Makes the folder for this user only. An existing folder keeps its permissions. A new or empty folder gets a <c>.gitignore</c>: it is
    /// often in a source tree, and keys and payloads must not be committed.
    /// </summary>
    public static void MakeFolder(string path)
    {
        var isNew = !Directory.Exists(path) || !Directory.EnumerateFileSystemEntries(path).Any();
        Make(path);
        if (isNew)
        {
            using var ignored = Open(Path.Combine(path, ".gitignore"), FileMode.OpenOrCreate);
            ignored.Write("*\n"u8);
        }
    }

    private static void Make(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(path);
        }
        else
        {
            Directory.CreateDirectory(path, OwnerOnly | UnixFileMode.UserExecute);
        }
    }

    /// <summary>Opens the file without a buffer. Only this user may read a new file.</summary>
    public static FileStream Open(string path, FileMode mode, FileAccess access = FileAccess.Write, FileShare share = FileShare.ReadWrite)
    {
        var options = new FileStreamOptions
        {
            Mode = mode,
            Access = access,
            Share = share,
            BufferSize = 0,
        };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = OwnerOnly;
        }

        return new FileStream(path, options);
    }

    /// <summary>
    /// Removes the permissions of all other users from an existing file or folder. One that belongs to another user, such as a mounted
    /// volume, stays as it is; the files that are made in it are still readable by this user only.
    /// </summary>
    public static void MakePrivate(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        try
        {
            File.SetUnixFileMode(path, File.GetUnixFileMode(path) & (OwnerOnly | UnixFileMode.UserExecute));
        }
        catch (UnauthorizedAccessException) { }
    }
}
