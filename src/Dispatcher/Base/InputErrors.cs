using Dispatcher.Contracts;
using Dispatcher.Policies.Texts;

namespace Dispatcher.Base;

/// <summary>
/// The errors of one input. Their number and length are limited, so that no sender determines the size of an answer or a row.
/// </summary>
internal static class InputErrors
{
    /// <summary>Errors that are listed. More of them are usually one mistake, repeated.</summary>
    public const int Max = 50;

    /// <summary>Characters of <see cref="InputError.Where"/>, and of a pointer that is built while errors are searched.</summary>
    public const int MaxWhere = 256;

    private const int MaxQuote = 64;

    /// <summary>Whether the list is full, so that the search can end.</summary>
    public static bool IsFull(this List<InputError> errors) => errors.Count > Max;

    /// <summary>Adds an error. After <see cref="Max"/> errors, adds one entry that states that there are more.</summary>
    public static void Report(this List<InputError> errors, string code, string where, string message, string fix)
    {
        if (errors.Count < Max)
        {
            errors.Add(
                new InputError
                {
                    Code = code,
                    Where = Cut(where, MaxWhere),
                    Message = message,
                    Fix = fix,
                }
            );
        }
        else if (errors.Count == Max)
        {
            errors.Add(
                new InputError
                {
                    Code = "too_many_errors",
                    Where = "body",
                    Message = $"And more: only the first {Max} are listed.",
                    Fix = "Correct these and send it again.",
                }
            );
        }
    }

    /// <summary>Reports the reason that a person gives for an action, unless it has 1 to <paramref name="max"/> characters.</summary>
    /// <param name="errors">Gets the error.</param>
    /// <param name="reason">Not only blanks, and without U+0000, which PostgreSQL cannot store.</param>
    /// <param name="max">Maximum number of characters.</param>
    /// <param name="use">Who reads the reason, as the end of the fix.</param>
    public static void CheckReason(this List<InputError> errors, string reason, int max, string use)
    {
        if (string.IsNullOrWhiteSpace(reason) || reason.Length > max || reason.Contains('\0', StringComparison.Ordinal))
        {
            errors.Report(
                "bad_reason",
                "/reason",
                $"The reason has {reason.Length} characters; allowed are 1 to {max} without U+0000, not only blanks.",
                $"Give the reason in a sentence; {use}."
            );
        }
    }

    /// <summary>An excerpt of the input for a message: short, on one line, and without control characters.</summary>
    public static string Cut(string seen, int maxLength = MaxQuote) => Excerpt.Of(seen, maxLength);
}
