using Dispatcher.Jobs;

namespace Dispatcher.Audit.Verification;

/// <summary>
/// Compares dead letters with the entries that name them. Pure. An entry of an earlier version names no hash: then only the existence of
/// the dead letter is checked.
/// </summary>
internal static class DeadLetterCheck
{
    /// <summary>Checks the dead letters of one job.</summary>
    public static IEnumerable<IncompleteJob> Of(AuditedJob stored, List<AuditedEntry> entries)
    {
        var left = stored.Letters.ToList();
        var ends = entries.Where(entry => entry.State == "dead_lettered" && entry.Kind is TimelineKinds.Faulted or TimelineKinds.Fenced);
        foreach (var end in ends.OrderBy(entry => entry.Detail.DeadLetterId is null))
        {
            var letter = left.Find(letter => end.Detail.DeadLetterId is not { } id || letter.DeadLetterId.ToString() == id);
            if (letter is null)
            {
                const string Missing = "the job became a dead letter, but its row in dead_letters is missing";
                yield return end.Gap(Gap.RowMissing, Missing, expected: end.Detail.DeadLetterId);
                continue;
            }

            left.Remove(letter);
            if (Differs(end, letter) is { } gap)
            {
                yield return gap;
            }
        }

        foreach (var letter in left)
        {
            yield return Unknown(letter);
        }
    }

    /// <summary>Checks the dead letter of an unreadable submission.</summary>
    /// <param name="letter">The row.</param>
    /// <param name="entry">The entry with its id. Null: there is none.</param>
    public static IncompleteJob? OfRefused(DeadLetter letter, AuditedEntry? entry) =>
        entry is null ? Unknown(letter) : Differs(entry, letter);

    private static IncompleteJob? Differs(AuditedEntry entry, DeadLetter letter)
    {
        var (seen, expected) = (letter.Hash(), entry.Detail.DeadLetterSha256);
        var differs = $"dead letter {letter.DeadLetterId} does not match the hash in its entry: a column was changed";
        return expected is null || seen == expected ? null : entry.Gap(Gap.RowDiffers, differs, seen, expected);
    }

    private static IncompleteJob Unknown(DeadLetter letter)
    {
        var unknown = $"dead letter {letter.DeadLetterId} has a row, but no entry records it";
        return new IncompleteJob(Gap.RowWithoutEntry, letter.JobId ?? letter.DeadLetterId, null, letter.Attempt, unknown);
    }
}
