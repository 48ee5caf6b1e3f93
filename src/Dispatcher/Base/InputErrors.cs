using Dispatcher.Contracts;
using Dispatcher.Policies.Texts;

namespace Dispatcher.Base;

/// <summary>The errors of one input, as many and as large as an answer, a row and a log line can bear: a stranger's body decides neither.</summary>
internal static class InputErrors
{
    /// <summary>Whoever has more than this many errors has one mistake repeated.</summary>
    public const int Most = 50;

    /// <summary>Longest <see cref="InputError.Where"/> in characters, and longest pointer that is built while looking.</summary>
    public const int LongestWhere = 256;

    private const int LongestQuote = 64;

    /// <summary>Whether looking on is in vain: nothing more would be listed.</summary>
    public static bool IsFull(this List<InputError> errors) => errors.Count > Most;

    /// <summary>Adds an error; after the last one that is listed, says once that there are more.</summary>
    public static void Report(this List<InputError> errors, string code, string where, string message, string fix)
    {
        if (errors.Count < Most)
        {
            errors.Add(
                new InputError
                {
                    Code = code,
                    Where = Cut(where, LongestWhere),
                    Message = message,
                    Fix = fix,
                }
            );
        }
        else if (errors.Count == Most)
        {
            errors.Add(
                new InputError
                {
                    Code = "too_many_errors",
                    Where = "body",
                    Message = $"And more: only the first {Most} are listed.",
                    Fix = "Correct these and send it again.",
                }
            );
        }
    }

    /// <summary>What was seen, short enough to repeat, on one line and without what a terminal would obey.</summary>
    public static string Cut(string seen, int longest = LongestQuote) => Excerpt.Of(seen, longest);
}
