namespace Dispatcher.Policies.Texts;

/// <summary>Finds the known word that is nearest to a misspelt one.</summary>
public static class Nearest
{
    /// <summary>A longer text is not a misspelt word.</summary>
    private const int MaxLength = 128;

    /// <summary>
    /// The maximum number of letter comparisons for one word, which takes some milliseconds. Beyond it, the error gives no hint.
    /// </summary>
    private const int MaxComparisons = 2_000_000;

    /// <summary>
    /// The known word with the fewest edits, the first of equals. Null: every known word needs too many edits for a hint.
    /// </summary>
    public static string? To(string word, IReadOnlyList<string> known)
    {
        if (word.Length > MaxLength)
        {
            return null;
        }

        string? nearest = null;
        var fewest = Math.Max(2, word.Length / 2) + 1;
        var left = MaxComparisons;
        var upper = word.ToUpperInvariant();
        foreach (var candidate in known)
        {
            // The edits are at least the difference in length.
            if (candidate.Length > MaxLength || Math.Abs(candidate.Length - word.Length) >= fewest)
            {
                continue;
            }

            left -= word.Length * candidate.Length;
            if (left < 0)
            {
                break;
            }

            var edits = Edits(upper, candidate.ToUpperInvariant());
            if (edits < fewest)
            {
                (nearest, fewest) = (candidate, edits);
            }
        }

        return nearest;
    }

    /// <summary>Levenshtein distance, two rows at a time.</summary>
    private static int Edits(string from, string to)
    {
        int[] above = [.. Enumerable.Range(0, to.Length + 1)];
        var row = new int[to.Length + 1];
        foreach ((var i, var letter) in from.Index())
        {
            row[0] = i + 1;
            for (var j = 0; j < to.Length; j++)
            {
                var replaced = above[j] + (letter == to[j] ? 0 : 1);
                row[j + 1] = Math.Min(replaced, Math.Min(above[j + 1], row[j]) + 1);
            }

            (above, row) = (row, above);
        }

        return above[to.Length];
    }
}
