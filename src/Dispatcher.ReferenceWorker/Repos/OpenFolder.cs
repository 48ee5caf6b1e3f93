using System.IO.Enumeration;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Dispatcher.ReferenceWorker.Repos;

/// <summary>
/// A folder held open by its descriptor. Its entries are opened by name relative to the descriptor and never through a symbolic link,
/// so that replacing a folder or file by a link during the read has no effect. Linux only.
/// </summary>
internal sealed partial class OpenFolder : IDisposable
{
    private const int CloseOnExec = 0x8_0000;
    private const int NonBlocking = 0x800;
    private const int NoSuchEntry = 2;
    private const int LinkItself = 0x100;
    private const uint TypeOnly = 1;
    private const int KindMask = 0xF000;
    private const int Regular = 0x8000;
    private const int FolderKind = 0x4000;

    /// <summary>struct statx is 256 bytes on every processor; stx_mode is at 28.</summary>
    private const int StatusBytes = 256;
    private const int ModeOffset = 28;

    // The two flags whose values depend on the processor.
    private static readonly bool IsArm = RuntimeInformation.ProcessArchitecture is Architecture.Arm or Architecture.Arm64;
    private static readonly int DirectoryOnly = IsArm ? 0x4000 : 0x1_0000;
    private static readonly int NoFollow = IsArm ? 0x8000 : 0x2_0000;

    private readonly SafeFileHandle _handle;

    private OpenFolder(SafeFileHandle handle) => _handle = handle;

    /// <summary>Names and kinds of what is in the folder, at the moment of the call.</summary>
    public IEnumerable<FolderEntry> Entries =>
        new FileSystemEnumerable<FolderEntry>(
            $"/proc/self/fd/{_handle.DangerousGetHandle()}",
            (ref FileSystemEntry entry) =>
                new FolderEntry(entry.FileName.ToString(), entry.IsDirectory, (entry.Attributes & FileAttributes.ReparsePoint) != 0),
            new EnumerationOptions { AttributesToSkip = 0, IgnoreInaccessible = false }
        );

    /// <summary>Opens a folder that the operator chose; its path may contain links.</summary>
    public static OpenFolder At(string path) =>
        new(Open(null, path, DirectoryOnly) ?? throw new DirectoryNotFoundException($"'{path}' does not exist."));

    /// <summary>A folder in this one. Null: not found.</summary>
    /// <exception cref="IOException">It is a link, or not a folder.</exception>
    public OpenFolder? Folder(string name) => Open(this, name, DirectoryOnly | NoFollow) is { } handle ? new OpenFolder(handle) : null;

    /// <summary>The bytes of a file in this folder. Null: not found.</summary>
    /// <exception cref="IOException">It is a link, not a regular file, or longer than the limit.</exception>
    public byte[]? Read(string name, int maxBytes)
    {
        // Non-blocking, because the open of a FIFO would wait for a writer.
        using var handle = Open(this, name, NoFollow | NonBlocking);
        if (handle is null)
        {
            return null;
        }

        try
        {
            var length = RandomAccess.GetLength(handle);
            var bytes = new byte[length <= maxBytes ? length : throw new IOException($"It has more than {maxBytes} bytes.")];
            var read = 0;
            while (read < bytes.Length && RandomAccess.Read(handle, bytes.AsSpan(read), read) is > 0 and var more)
            {
                read += more;
            }

            return bytes[..read];
        }
        catch (Exception exception) when (exception is NotSupportedException or UnauthorizedAccessException)
        {
            throw new IOException("It is not a regular file.", exception);
        }
    }

    /// <summary>True: the entry is neither a folder nor a regular file. False also when it does not exist.</summary>
    public bool IsSpecial(string name)
    {
        Span<byte> status = stackalloc byte[StatusBytes];
        if (Status(_handle, Encoding.UTF8.GetBytes(name + "\0"), LinkItself, TypeOnly, ref MemoryMarshal.GetReference(status)) == 0)
        {
            return (MemoryMarshal.Read<ushort>(status[ModeOffset..]) & KindMask) is not (Regular or FolderKind);
        }

        return Marshal.GetLastPInvokeError() == NoSuchEntry ? false : throw new IOException(Marshal.GetLastPInvokeErrorMessage());
    }

    public void Dispose() => _handle.Dispose();

    private static SafeFileHandle? Open(OpenFolder? folder, string name, int flags)
    {
        var path = Encoding.UTF8.GetBytes(name + "\0");
        var descriptor = folder is null ? OpenPath(path, flags | CloseOnExec) : OpenAt(folder._handle, path, flags | CloseOnExec);
        if (descriptor >= 0)
        {
            return new SafeFileHandle(descriptor, ownsHandle: true);
        }

        return Marshal.GetLastPInvokeError() == NoSuchEntry ? null : throw new IOException(Marshal.GetLastPInvokeErrorMessage());
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int OpenPath(byte[] path, int flags);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Status(SafeFileHandle folder, byte[] path, int flags, uint mask, ref byte status);

    [LibraryImport("libc", EntryPoint = "openat", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int OpenAt(SafeFileHandle folder, byte[] path, int flags);
}

/// <summary>One entry of a folder.</summary>
internal readonly record struct FolderEntry(string Name, bool IsFolder, bool IsLink);
