using System.ComponentModel;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Dispatcher.Policies.Files;

/// <summary>
/// Reads a file of a policy folder without trusting its kind. Opening a named pipe blocks until another process writes to it, and a link
/// may lead to any file of the server, whose content would then appear in error messages.
/// </summary>
internal static class RegularFile
{
    /// <summary>
    /// The maximum number of bytes read: one more than any file of a bundle may have, so that loading reports the file as too large.
    /// </summary>
    private const int MaxBytes = YamlReader.MaxBytes + 1;

    private const int MaxLinks = 40;

    /// <summary>The content, cut after <see cref="MaxBytes"/>.</summary>
    /// <param name="path">The file.</param>
    /// <param name="name">The name for errors.</param>
    /// <param name="root">The folder that must contain the file after all symbolic links are resolved; itself without links.</param>
    /// <exception cref="IOException">The file is not a regular file in the folder, or cannot be read; the message names it.</exception>
    public static byte[] Read(string path, string name, string root)
    {
        var real = RealPath(path, name);
        if (!real.StartsWith(root + Path.DirectorySeparatorChar, StringComparison.Ordinal))
        {
            throw new IOException($"{name} is a symbolic link that leads out of the policy folder; put the file itself into the folder.");
        }

        using var handle = Open(real, name);
        try
        {
            using FileStream file = new(handle, FileAccess.Read, bufferSize: 0);
            if (file.CanSeek)
            {
                var content = new byte[Math.Min(file.Length, MaxBytes)];
                return content[..file.ReadAtLeast(content, content.Length, throwOnEndOfStream: false)];
            }
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new IOException($"{name} cannot be read: {unreadable.Message}", unreadable);
        }

        throw NotRegular(name);
    }

    /// <summary>The path with all symbolic links resolved, like realpath(3).</summary>
    public static string RealPath(string path, string name)
    {
        var full = Path.GetFullPath(path);
        var real = Path.GetPathRoot(full)!;
        Stack<string> left = new(Segments(full[real.Length..]));
        for (var links = 0; left.TryPop(out var segment); )
        {
            if (segment == "..")
            {
                real = Path.GetDirectoryName(real) ?? real;
                continue;
            }

            var next = Path.Combine(real, segment);
            if (new FileInfo(next).LinkTarget is not { } target)
            {
                real = next;
                continue;
            }

            if (++links > MaxLinks)
            {
                throw new IOException(
                    $"{name} is a symbolic link that leads to itself, or through more than {MaxLinks} links; put the file itself there."
                );
            }

            var root = Path.GetPathRoot(target) ?? "";
            real = root.Length > 0 ? root : real;
            Segments(target[root.Length..]).ToList().ForEach(left.Push);
        }

        return real;
    }

    /// <summary>The segments of a path, last first.</summary>
    private static IEnumerable<string> Segments(string path) =>
        path.Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries).Where(segment => segment != ".").Reverse();

    private static SafeFileHandle Open(string path, string name)
    {
        if (OperatingSystem.IsWindows())
        {
            return File.OpenHandle(path);
        }

        if (Directory.Exists(path))
        {
            throw NotRegular(name);
        }

        // Without O_NONBLOCK, opening a named pipe would wait for a writer.
        var flags = OperatingSystem.IsMacOS() ? 0x0100_0004 : 0x8_0800;
        SafeFileHandle handle = new(Open([.. Encoding.UTF8.GetBytes(path), 0], flags), ownsHandle: true);
        if (handle.IsInvalid)
        {
            Win32Exception reason = new();
            handle.Dispose();
            throw new IOException($"{name} cannot be read: {reason.Message}");
        }

        return handle;
    }

    private static IOException NotRegular(string name) =>
        new($"{name} is not a regular file (but a folder, a named pipe, a socket or a device); remove it.");

    [DllImport("libc", EntryPoint = "open", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Open(byte[] path, int flags);
}
