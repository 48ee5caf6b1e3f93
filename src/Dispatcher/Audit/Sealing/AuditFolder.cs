using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Audit.Sealing;

/// <summary>
/// Where checkpoints lie outside the database: <c>checkpoints.ndjson</c>, the key that signs them (<c>sealing.key</c>) and its public half (<c>sealing.pub</c>).
/// Only for the user that serves. Several servers may share one folder.
/// </summary>
internal sealed class AuditFolder : IDisposable
{
    private AuditFolder(string path, CheckpointKey key) => (Path, Key) = (path, key);

    public string Path { get; }

    public CheckpointKey Key { get; }

    public string Checkpoints => CheckpointsIn(Path);

    public static string CheckpointsIn(string folder) => System.IO.Path.Combine(folder, "checkpoints.ndjson");

    public static string PublicKeyIn(string folder) => System.IO.Path.Combine(folder, "sealing.pub");

    /// <summary>As the settings say.</summary>
    public static AuditFolder Open(ServerSettings settings) =>
        Open(settings.AuditFolder ?? (settings.IsEmbedded ? EmbeddedFiles.Audit(settings.DataFolder!) : "audit"), settings.AuditKey);

    /// <summary>Makes what is not there yet. <paramref name="privateKey"/>, PEM, comes from elsewhere; null: the folder has one, or gets one.</summary>
    public static AuditFolder Open(string folder, string? privateKey)
    {
        var path = System.IO.Path.GetFullPath(folder);
        var file = System.IO.Path.Combine(path, "sealing.key");
        try
        {
            OwnFiles.MakeFolder(path);
            if (privateKey is null && !File.Exists(file))
            {
                using var made = CheckpointKey.Create();
                Put(file, made.PrivatePem());
            }

            if (File.Exists(file))
            {
                OwnFiles.Narrow(file);
            }

            var key = CheckpointKey.Read(privateKey ?? File.ReadAllText(file));
            if (!File.Exists(PublicKeyIn(path)) || File.ReadAllText(PublicKeyIn(path)) != key.PublicPem())
            {
                Put(PublicKeyIn(path), key.PublicPem(), replace: true);
            }

            return new AuditFolder(path, key);
        }
        catch (Exception unusable)
            when (unusable is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
        {
            throw new ExitException(
                ExitCode.WrongUse,
                $"The audit folder {path} or its key cannot be used: {unusable.Message}",
                "Give --audit a folder that this user may write to; a key of your own (DISPATCHER_AUDIT_KEY_FILE) is a private key of curve P-256 in PEM."
            );
        }
    }

    /// <summary>The last checkpoint in the file. Null: there is none. A line that a crash left half written is passed over.</summary>
    public TimelineCheckpoint? Last()
    {
        if (!File.Exists(Checkpoints))
        {
            return null;
        }

        TimelineCheckpoint? last = null;
        foreach (var line in File.ReadLines(Checkpoints))
        {
            try
            {
                last = CheckpointJson.Read(line) is var checkpoint && checkpoint.Size >= (last?.Size ?? 0) ? checkpoint : last;
            }
            catch (Exception half) when (half is JsonException or FormatException) { }
        }

        return last;
    }

    /// <summary>Adds a line; it is on the disk when this returns.</summary>
    public void Append(TimelineCheckpoint checkpoint)
    {
        // A line that a crash left half written must not swallow this one.
        var start = EndsWithinALine() ? "\n" : "";
        using var file = OpenOwn(Checkpoints, FileMode.Append);
        file.Write(Encoding.UTF8.GetBytes($"{start}{CheckpointJson.Write(checkpoint)}\n"));
        file.Flush(flushToDisk: true);
    }

    public void Dispose() => Key.Dispose();

    private bool EndsWithinALine()
    {
        if (!File.Exists(Checkpoints))
        {
            return false;
        }

        using var file = new FileStream(Checkpoints, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        if (file.Length == 0)
        {
            return false;
        }

        file.Seek(-1, SeekOrigin.End);
        return file.ReadByte() != '\n';
    }

    /// <summary>Not buffered: a line is written whole, also when another server writes to the same file.</summary>
    private static FileStream OpenOwn(string path, FileMode mode) => OwnFiles.Open(path, mode);

    /// <summary>Writes a file in one step. Other servers may read the folder meanwhile, and of two that make a key the first wins.</summary>
    private static void Put(string path, string text, bool replace = false)
    {
        var draft = $"{path}.{System.IO.Path.GetRandomFileName()}";
        using (var file = OpenOwn(draft, FileMode.Create))
        {
            file.Write(Encoding.UTF8.GetBytes(text));
            file.Flush(flushToDisk: true);
        }

        try
        {
            File.Move(draft, path, replace);
        }
        catch (IOException) when (!replace && File.Exists(path))
        {
            File.Delete(draft);
        }
    }
}
