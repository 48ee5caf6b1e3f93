using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Audit.Sealing;

/// <summary>
/// The folder outside the database with the checkpoints (<c>checkpoints.ndjson</c>), the key that signs them (<c>sealing.key</c>) and its
/// public key (<c>sealing.pub</c>). Only the user of the server can read it. Several servers may share one folder.
/// </summary>
internal sealed class AuditFolder : IDisposable
{
    private AuditFolder(string path, CheckpointKey key) => (Path, Key) = (path, key);

    public string Path { get; }

    public CheckpointKey Key { get; }

    public string Checkpoints => CheckpointsIn(Path);

    public static string CheckpointsIn(string folder) => System.IO.Path.Combine(folder, "checkpoints.ndjson");

    public static string PublicKeyIn(string folder) => System.IO.Path.Combine(folder, "sealing.pub");

    /// <summary>Opens the folder that the settings name.</summary>
    public static AuditFolder Open(ServerSettings settings) =>
        Open(settings.AuditFolder ?? (settings.IsEmbedded ? EmbeddedFiles.Audit(settings.DataFolder!) : "audit"), settings.AuditKey);

    /// <summary>
    /// Opens the folder and creates what is missing. <paramref name="privateKey"/> is in PEM. Null: the folder has a key, or one is
    /// created.
    /// </summary>
    public static AuditFolder Open(string folder, string? privateKey)
    {
        var path = System.IO.Path.GetFullPath(folder);
        var file = System.IO.Path.Combine(path, "sealing.key");
        try
        {
            PrivateFiles.MakeFolder(path);
            if (privateKey is null && !File.Exists(file))
            {
                using var made = CheckpointKey.Create();
                Put(file, made.PrivatePem());
            }

            if (File.Exists(file))
            {
                PrivateFiles.MakePrivate(file);
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
                "Give --audit a folder that this user may write to; "
                    + "DISPATCHER_AUDIT_KEY_FILE must name a private key of curve P-256 in PEM."
            );
        }
    }

    /// <summary>The last checkpoint in the file. Null: there is none. A line that a crash cut is skipped.</summary>
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

    /// <summary>Appends a line. It is on the disk when this returns.</summary>
    public void Append(TimelineCheckpoint checkpoint)
    {
        // After a line that a crash cut, start a new line.
        var start = EndsWithinALine() ? "\n" : "";
        using var file = OpenPrivate(Checkpoints, FileMode.Append);
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

    /// <summary>Opens without a buffer, so that a line is written in one call, even if another server writes to the same file.</summary>
    private static FileStream OpenPrivate(string path, FileMode mode) => PrivateFiles.Open(path, mode);

    /// <summary>
    /// Writes the file atomically, because another server may read it at the same time. If two servers create a key, the first one wins.
    /// </summary>
    private static void Put(string path, string text, bool replace = false)
    {
        var draft = $"{path}.{System.IO.Path.GetRandomFileName()}";
        using (var file = OpenPrivate(draft, FileMode.Create))
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
