using System.Runtime.CompilerServices;
using System.Text.Json;
using Dispatcher.Audit.Sealing;
using Dispatcher.Base;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Audit.Verification;

/// <summary>The history in an export file. It needs no database.</summary>
internal sealed class ExportHistory : IHistory
{
    private readonly string _path;
    private readonly StreamReader _reader;
    private string? _ahead;
    private long _number;

    private ExportHistory(string path, StreamReader reader) => (_path, _reader) = (path, reader);

    public static ExportHistory Open(string path)
    {
        try
        {
            return new ExportHistory(path, new StreamReader(path));
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new ExitException(
                ExitCode.WrongUse,
                $"--file: cannot read '{path}': {unreadable.Message}",
                "Give a file that \"dispatcher audit export\" wrote."
            );
        }
    }

    /// <summary>Writes a history: checkpoints, retentions, entries, then the number of entries.</summary>
    public static async Task<long> WriteAsync(IHistory history, TextWriter output, CancellationToken cancellationToken)
    {
        await foreach (var checkpoint in history.CheckpointsAsync(cancellationToken))
        {
            await output.WriteLineAsync(CheckpointJson.Write(checkpoint));
        }

        await foreach (var detail in history.RetentionsAsync(cancellationToken))
        {
            await output.WriteLineAsync(ExportLine.OfRetention(detail).Write());
        }

        var entries = 0L;
        await foreach (var line in history.EntriesAsync(cancellationToken))
        {
            await output.WriteLineAsync(ExportLine.Of(line).Write());
            entries++;
        }

        await output.WriteLineAsync(ExportLine.End(entries).Write());
        return entries;
    }

    public async IAsyncEnumerable<TimelineCheckpoint> CheckpointsAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (await NextAsync(cancellationToken) is { } line)
        {
            if (!IsCheckpoint(line))
            {
                _ahead = line;
                yield break;
            }

            yield return Parsed(() => CheckpointJson.Read(line));
        }
    }

    public async IAsyncEnumerable<byte[]> RetentionsAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (await NextAsync(cancellationToken) is { } text)
        {
            var line = Parsed(() => ExportLine.Read(text));
            if (line.Type != ExportLine.RetentionType)
            {
                _ahead = text;
                yield break;
            }

            yield return line.Detail ?? [];
        }
    }

    public async IAsyncEnumerable<HistoryEntry> EntriesAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var entries = 0L;
        while (await NextAsync(cancellationToken) is { } text)
        {
            var line = Parsed(() => ExportLine.Read(text));
            if (line.Type == ExportLine.EndType)
            {
                if (line.Entries != entries)
                {
                    throw Broken($"its last line states {line.Entries} entries, but it contains {entries}");
                }

                yield break;
            }

            entries++;
            yield return Parsed(line.ToHistory);
        }

        throw Broken("it ends without the line that states the number of entries: it was cut");
    }

    public bool HasRows => false;

    public async IAsyncEnumerable<IncompleteJob> RowGapsAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.CompletedTask;
        yield break;
    }

    public ValueTask DisposeAsync()
    {
        _reader.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<string?> NextAsync(CancellationToken cancellationToken)
    {
        if (_ahead is { } ahead)
        {
            _ahead = null;
            return ahead;
        }

        _number++;
        return await _reader.ReadLineAsync(cancellationToken);
    }

    private static bool IsCheckpoint(string line) =>
        line.StartsWith($"{{\"type\":\"{CheckpointJson.Checkpoint}\"", StringComparison.Ordinal);

    private T Parsed<T>(Func<T> parse)
    {
        try
        {
            return parse();
        }
        catch (Exception broken) when (broken is JsonException or FormatException)
        {
            throw Broken(broken.Message);
        }
    }

    private ExitException Broken(string why) =>
        new(ExitCode.No, $"{_path}:{_number}: the export is broken: {why}", "Export again. If it was whole before, it was changed.");
}
