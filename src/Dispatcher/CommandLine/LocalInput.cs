using Dispatcher.Base;
using Dispatcher.CommandLine.Screens;

namespace Dispatcher.CommandLine;

/// <summary>Reads local input of a call: a file or standard input.</summary>
internal static class LocalInput
{
    // A mistyped path (a disk image, /dev/zero) must not fill the memory. The limit of the server is much lower.
    private const int MaxBytes = 16 * 1024 * 1024;

    public static byte[] File(string path, string where)
    {
        try
        {
            using var stream = System.IO.File.OpenRead(path);
            return ReadAll(stream, where);
        }
        catch (Exception unreadable)
            when (unreadable is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new ExitException(
                ExitCode.WrongUse,
                $"{where}: cannot read '{path}': {unreadable.Message}",
                "Check the path and your permission to read the file."
            );
        }
    }

    public static byte[] StandardInput(Terminal terminal, string where)
    {
        using var stream = terminal.Input();
        return ReadAll(stream, where);
    }

    private static byte[] ReadAll(Stream stream, string where)
    {
        using var bytes = new MemoryStream();
        var buffer = new byte[81920];
        for (int count; (count = stream.Read(buffer)) > 0; )
        {
            bytes.Write(buffer, 0, count);
            if (bytes.Length > MaxBytes)
            {
                throw new ExitException(
                    ExitCode.WrongUse,
                    $"{where}: the input has more than {MaxBytes / 1024 / 1024} MiB.",
                    "Store large content elsewhere, and put its address into the payload."
                );
            }
        }

        // A byte order mark is not part of the JSON or the key.
        return bytes.ToArray() is [0xEF, 0xBB, 0xBF, .. var rest] ? rest : bytes.ToArray();
    }
}
