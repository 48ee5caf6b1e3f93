using System.Data.Common;
using System.Globalization;
using Dispatcher.Audit.Sealing;
using Dispatcher.Audit.Verification;
using Dispatcher.Base;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Audit.Retaining;

/// <summary>Selects the days to drop, in the snapshot of a history that was verified.</summary>
/// <param name="history">The history.</param>
/// <param name="last">The last retention of the history. Null: there is none.</param>
internal sealed class RetentionPlan(StoreHistory history, Retention? last)
{
    private const string DayFormat = "yyyy-MM-dd";

    /// <summary>The jobs with entries up to <c>@size</c> that stay. The conditions are checked once for each job.</summary>
    private static readonly string KeptJobs = $"""
        with kept as materialized (
            select d.job_id from (select distinct s.job_id from timeline_seals s where s.seq <= @size) d
            where not ({DroppableJobs.Condition("d.job_id")}))
        """;

    /// <summary>
    /// The statement of the days to drop, without its signature. Null: there is nothing to drop.
    /// </summary>
    /// <param name="before">The days before the day of this time may be dropped.</param>
    /// <param name="now">The database's time, microseconds since 1970.</param>
    /// <param name="cancellationToken">Stops reading.</param>
    public async Task<Retention?> MakeAsync(DateTimeOffset before, long now, CancellationToken cancellationToken)
    {
        var day = await FirstKeptDayAsync(before, cancellationToken);
        var size = await SizeAsync(day, cancellationToken);
        if (size <= (last?.Size ?? 0) || await DroppedAsync(size, cancellationToken) is not { Entries: > 0 } dropped)
        {
            return null;
        }

        var (tree, head, origin) = await TreeAsync(size, cancellationToken);
        var (kept, keptHash) = await KeptAsync(size, cancellationToken);
        return new Retention
        {
            From = Day(Timestamps.At(dropped.FirstAt)),
            Before = Day(day),
            Entries = dropped.Entries,
            Size = size,
            Origin = origin,
            Root = Convert.ToHexStringLower(tree.Root()),
            Head = Convert.ToHexStringLower(head),
            Frontier = tree.ToBytes(),
            Kept = KeptNumbers.Write(kept),
            KeptSha256 = keptHash.Text(),
            At = now,
        };
    }

    /// <summary>The day of the time, or the day in which the oldest open job began if that is earlier.</summary>
    private async Task<DateTimeOffset> FirstKeptDayAsync(DateTimeOffset before, CancellationToken cancellationToken)
    {
        await using var command = history.Command($"select min(j.created_at) from jobs j where {DroppableJobs.Open}");
        var first = await command.ExecuteScalarAsync(cancellationToken) is long began ? Timestamps.At(began) : before;
        return new DateTimeOffset((first < before ? first : before).UtcDateTime.Date, TimeSpan.Zero);
    }

    /// <summary>
    /// The number of the last seal before the first entry of the day or of a later one. Seals have the order of commits, so at midnight
    /// some entries of the day before may follow: they are kept with the next day.
    /// </summary>
    private async Task<long> SizeAsync(DateTimeOffset day, CancellationToken cancellationToken)
    {
        await using var command = history.Command(
            """
            select coalesce(min(s.seq) - 1, (select coalesce(max(seq), 0) from timeline_seals))
            from timeline t join timeline_seals s on s.entry_id = t.entry_id where t.at >= @day
            """
        );
        Add(command, "day", Timestamps.Micros(day));
        return (long)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    private async Task<(long Entries, long FirstAt)?> DroppedAsync(long size, CancellationToken cancellationToken)
    {
        await using var command = history.Command(
            $"""
            {KeptJobs}
            select count(*), coalesce(min(t.at), 0) from timeline_seals s join timeline t on t.entry_id = s.entry_id
            where s.seq <= @size and s.job_id not in (select job_id from kept)
            """
        );
        Add(command, "size", size);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        return await row.ReadAsync(cancellationToken) ? (row.GetInt64(0), row.GetInt64(1)) : null;
    }

    /// <summary>The tree of this size, the hash of its last seal, and the id of the history.</summary>
    private async Task<(MerkleFrontier Tree, byte[] Head, string Origin)> TreeAsync(long size, CancellationToken cancellationToken)
    {
        var (tree, head, origin) = (last?.Tree() ?? new MerkleFrontier(), last?.HeadHash() ?? [], last?.Origin ?? "");
        await using var command = history.Command("select hash from timeline_seals where seq > @after and seq <= @size order by seq");
        Add(command, "after", tree.Size);
        Add(command, "size", size);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        while (await row.ReadAsync(cancellationToken))
        {
            head = row.GetFieldValue<byte[]>(0);
            origin = tree.Size == 0 ? TimelineCheckpoint.OriginOf(head) : origin;
            tree.Add(head);
        }

        return tree.Size == size
            ? (tree, head, origin)
            : throw new InvalidOperationException($"The verified history has {tree.Size} of {size} seals.");
    }

    private async Task<(List<long> Numbers, KeptHash Hash)> KeptAsync(long size, CancellationToken cancellationToken)
    {
        var (numbers, hash) = (new List<long>(), new KeptHash());
        await using var command = history.Command(
            $"""
            {KeptJobs}
            select {TimelineRows.Columns}, s.seq, s.job_previous, s.hash
            from timeline_seals s join timeline t on t.entry_id = s.entry_id and t.job_id = s.job_id
            where s.seq <= @size and s.job_id in (select job_id from kept) order by s.seq
            """
        );
        Add(command, "size", size);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        while (await row.ReadAsync(cancellationToken))
        {
            var entry = TimelineRows.Read(row);
            var seal = new TimelineSeal
            {
                Seq = row.GetInt64(TimelineRows.Count),
                EntryId = entry.EntryId,
                JobId = entry.JobId,
                JobPrevious = row.GetInt64(TimelineRows.Count + 1),
                Hash = row.GetFieldValue<byte[]>(TimelineRows.Count + 2),
            };
            numbers.Add(seal.Seq);
            hash.Add(seal, entry);
        }

        return (numbers, hash);
    }

    private static string Day(DateTimeOffset at) => at.UtcDateTime.ToString(DayFormat, CultureInfo.InvariantCulture);

    private static void Add(DbCommand command, string name, long value)
    {
        var parameter = command.CreateParameter();
        (parameter.ParameterName, parameter.Value) = (name, value);
        command.Parameters.Add(parameter);
    }
}
