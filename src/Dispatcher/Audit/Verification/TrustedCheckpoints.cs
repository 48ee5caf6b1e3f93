using System.Security.Cryptography;
using System.Text.Json;
using Dispatcher.Audit.Sealing;
using Dispatcher.Base;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Audit.Verification;

/// <summary>
/// The input of a check that does not come from the database and is therefore trusted: public keys, and checkpoints from files.
/// </summary>
/// <param name="Keys">Public keys by id.</param>
/// <param name="Checkpoints">Checkpoints, each with its file.</param>
/// <param name="Unreadable">Lines that are not checkpoints, each as <c>file:line</c>. A crash may have cut a line.</param>
internal sealed record TrustedCheckpoints(
    IReadOnlyDictionary<string, ECDsa> Keys,
    IReadOnlyList<(TimelineCheckpoint Checkpoint, string Source)> Checkpoints,
    IReadOnlyList<string> Unreadable
)
{
    private const string PemEnd = "-----END PUBLIC KEY-----";

    /// <summary>Reads the files. A key file may hold several keys.</summary>
    public static TrustedCheckpoints Read(IEnumerable<string> keyFiles, IEnumerable<string> checkpointFiles)
    {
        var keys = keyFiles.SelectMany(ReadKeys).DistinctBy(CheckpointKey.IdOf).ToDictionary(CheckpointKey.IdOf);
        var lines = checkpointFiles
            .SelectMany(file => ReadCheckpoints(file).Select(line => (line.Number, line.Checkpoint, File: file)))
            .ToList();
        return new TrustedCheckpoints(
            keys,
            [.. lines.Where(line => line.Checkpoint is not null).Select(line => (line.Checkpoint!, line.File))],
            [.. lines.Where(line => line.Checkpoint is null).Select(line => $"{line.File}:{line.Number}")]
        );
    }

    private static IEnumerable<ECDsa> ReadKeys(string file)
    {
        var pems = Text(file, "--key").Split(PemEnd).SkipLast(1).Select(pem => pem + PemEnd).ToList();
        return pems.Count == 0 ? throw NoKey(file, "it contains no public key") : pems.Select(pem => ReadKey(file, pem));
    }

    private static ECDsa ReadKey(string file, string pem)
    {
        var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(pem);
            return key;
        }
        catch (Exception broken) when (broken is CryptographicException or ArgumentException)
        {
            key.Dispose();
            throw NoKey(file, broken.Message);
        }
    }

    private static List<(int Number, TimelineCheckpoint? Checkpoint)> ReadCheckpoints(string file)
    {
        var lines = Text(file, "--checkpoint")
            .Split('\n')
            .Index()
            .Where(line => line.Item.Length > 0)
            .Select(line => (Number: line.Index + 1, Checkpoint: ReadCheckpoint(line.Item)))
            .ToList();
        return lines.Exists(line => line.Checkpoint is not null)
            ? lines
            : throw new ExitException(
                ExitCode.WrongUse,
                $"--checkpoint: {file} contains no checkpoint.",
                "Give checkpoints.ndjson of an audit folder, or a copy of it."
            );
    }

    private static TimelineCheckpoint? ReadCheckpoint(string line)
    {
        try
        {
            return CheckpointJson.Read(line);
        }
        catch (Exception broken) when (broken is JsonException or FormatException)
        {
            return null;
        }
    }

    private static ExitException NoKey(string file, string why) =>
        new(
            ExitCode.WrongUse,
            $"--key: {file} cannot be used: {why}",
            "Give sealing.pub of an audit folder: a public key of curve P-256 in PEM."
        );

    private static string Text(string file, string option)
    {
        try
        {
            return File.ReadAllText(file);
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new ExitException(
                ExitCode.WrongUse,
                $"{option}: cannot read '{file}': {unreadable.Message}",
                "Check the path and your permission to read the file."
            );
        }
    }
}
