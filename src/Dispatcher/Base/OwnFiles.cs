namespace Dispatcher.Base;

/// <summary>
/// Files and folders that only the server's own user may read, whatever the umask says. On Windows, permissions are those of the folder
/// above.
/// </summary>
internal static class OwnFiles
{
    private const UnixFileMode OnlyOwner = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>
    /// Makes the folder for this user alone. An existing one keeps its permissions. A new or empty one hides itself from git: the current
    /// folder is often a source tree, and keys and payloads must not be committed with it.
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
            Directory.CreateDirectory(path, OnlyOwner | UnixFileMode.UserExecute);
        }
    }

    /// <summary>Opens the file without a buffer; a new one is for this user alone.</summary>
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
            options.UnixCreateMode = OnlyOwner;
        }

        return new FileStream(path, options);
    }

    /// <summary>
    /// Takes an existing file or folder away from all other users. One that belongs to another user, such as a mounted volume, cannot be
    /// narrowed and is left; what is made in it is narrow all the same.
    /// </summary>
    public static void Narrow(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        try
        {
            File.SetUnixFileMode(path, File.GetUnixFileMode(path) & (OnlyOwner | UnixFileMode.UserExecute));
        }
        catch (UnauthorizedAccessException) { }
    }
}
