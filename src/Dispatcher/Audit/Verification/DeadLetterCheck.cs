using Dispatcher.Jobs;

namespace Dispatcher.Audit.Verification;

/// <summary>
/// Compares dead letters with the entries that name them. Pure. An entry of an earlier version names no hash: then only that there is one
/// is compared.
/// </summary>
internal static class DeadLetterCheck
{
    /// <summary>Those of one job.</summary>
    public static IEnumerable<IncompleteJob> Of(AuditedJob stored, List<JobLine> lines)
    {
        var left = stored.Letters.ToList();
        var ends = lines.Where(line => line.State == "dead_lettered" && line.Kind is TimelineKinds.Faulted or TimelineKinds.Fenced);
        foreach (var end in ends.OrderBy(line => line.Detail.DeadLetterId is null))
        {
            var letter = left.Find(letter => end.Detail.DeadLetterId is not { } id || letter.DeadLetterId.ToString() == id);
            if (letter is null)
            {
                const string Missing = "the job became a dead letter, and its row in dead_letters is not there";
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

    /// <summary>One of a submission that could not be read.</summary>
    /// <param name="letter">The row.</param>
    /// <param name="line">The entry under its id. Null: there is none.</param>
    public static IncompleteJob? OfRefused(DeadLetter letter, JobLine? line) => line is null ? Unknown(letter) : Differs(line, letter);

    private static IncompleteJob? Differs(JobLine line, DeadLetter letter)
    {
        var (seen, expected) = (letter.Hash(), line.Detail.DeadLetterSha256);
        var differs = $"dead letter {letter.DeadLetterId} is not what its entry says: a column was changed";
        return expected is null || seen == expected ? null : line.Gap(Gap.RowDiffers, differs, seen, expected);
    }

    private static IncompleteJob Unknown(DeadLetter letter)
    {
        var unknown = $"dead letter {letter.DeadLetterId} has a row, and no entry tells of it";
        return new IncompleteJob(Gap.RowWithoutEntry, letter.JobId ?? letter.DeadLetterId, null, letter.Attempt, unknown);
    }
}
