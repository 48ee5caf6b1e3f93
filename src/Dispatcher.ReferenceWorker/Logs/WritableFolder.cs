namespace Dispatcher.ReferenceWorker.Logs;

/// <summary>Checks whether this user may create files in a folder. Nothing is left behind, and a missing folder is not made.</summary>
internal static class WritableFolder
{
    /// <summary>Why the folder, or for a missing one its first parent that exists, cannot be written to. Null: it can.</summary>
    public static Exception? Fault(string folder)
    {
        try
        {
            var existing = Path.GetFullPath(folder);
            while (!Path.Exists(existing) && Path.GetDirectoryName(existing) is { } parent)
            {
                existing = parent;
            }

            // Removed when it is closed.
            using var probe = new FileStream(
                Path.Combine(existing, $".dispatcher-probe-{Guid.CreateVersion7():n}"),
                new FileStreamOptions
                {
                    Mode = FileMode.CreateNew,
                    Access = FileAccess.Write,
                    Options = FileOptions.DeleteOnClose,
                }
            );
            return null;
        }
        catch (Exception unusable)
            when (unusable is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            return unusable;
        }
    }
}
