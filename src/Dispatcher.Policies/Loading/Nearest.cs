namespace Dispatcher.Policies.Loading;

/// <summary>Finds the word that was probably meant.</summary>
public static class Nearest
{
    /// <summary>The known word with the fewest edits, the first of equals. Null when so many edits are needed that it would be a guess.</summary>
    public static string? To(string word, IReadOnlyList<string> known)
    {
        string? nearest = null;
        int fewest = Math.Max(2, word.Length / 2) + 1;
        foreach (string candidate in known)
        {
            int edits = Edits(word.ToUpperInvariant(), candidate.ToUpperInvariant());
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
        foreach ((int i, char letter) in from.Index())
        {
            int[] row = new int[to.Length + 1];
            row[0] = i + 1;
            for (int j = 0; j < to.Length; j++)
            {
                int replaced = above[j] + (letter == to[j] ? 0 : 1);
                row[j + 1] = Math.Min(replaced, Math.Min(above[j + 1], row[j]) + 1);
            }

            above = row;
        }

        return above[to.Length];
    }
}
