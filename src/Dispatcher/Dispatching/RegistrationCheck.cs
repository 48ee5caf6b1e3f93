using System.Text;
using System.Text.RegularExpressions;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Policies.Texts;

namespace Dispatcher.Dispatching;

/// <summary>What a registration must look like.</summary>
internal static partial class RegistrationCheck
{
    public const int LongestText = 128;
    private const int MostTopics = 256;
    private const int MostEnforcers = 64;

    /// <summary>Maximum size of all topics and enforcers of one registration, in bytes of UTF-8. It is stored for each instance.</summary>
    private const int MostListBytes = 16_384;

    /// <summary>
    /// Most runs that one instance may claim to have at once, and most that count for one key in one pool: see <see
    /// cref="WorkerRegister.Capacity"/>.
    /// </summary>
    public const int LargestCapacity = 1_024;

    /// <summary>Adds every error. Nothing to check: none.</summary>
    public static void Run(WorkerRegistration? registration, List<InputError> errors)
    {
        if (registration is null)
        {
            return;
        }

        if (!PoolName().IsMatch(registration.Pool))
        {
            errors.Report(
                "bad_pool",
                "/registration/pool",
                "It is no pool name; allowed are 1 to 64 of a-z, 0-9, _ and -.",
                "Name the pool as the registry does."
            );
        }

        if (registration.Capacity is < 0 or > LargestCapacity)
        {
            errors.Report(
                "bad_capacity",
                "/registration/capacity",
                $"{registration.Capacity} given; allowed are 0 to {LargestCapacity}.",
                "Say how many runs the instance can have at once; 0 when it stops."
            );
        }

        if (IsBad(registration.Version))
        {
            errors.Report(
                "bad_version",
                "/registration/version",
                $"Allowed are 1 to {LongestText} characters, none of them for control or formatting.",
                "For example \"1.4.2\"."
            );
        }

        if (registration.Dropped < 0 || (registration.Dropping is { } dropping && IsBad(dropping)))
        {
            errors.Report(
                "bad_dropping",
                "/registration/dropping",
                $"dropped: {registration.Dropped} given, allowed is 0 or more; dropping: allowed are null and 1 to {LongestText} characters, "
                    + "none of them for control or formatting.",
                "Count what was dropped, and say in one word why."
            );
        }

        CheckList("topics", registration.Topics, MostTopics);
        CheckList("enforcers", registration.Enforcers, MostEnforcers);
        var bytes = registration.Topics.Concat(registration.Enforcers).Sum(text => Encoding.UTF8.GetByteCount(text ?? ""));
        if (bytes > MostListBytes)
        {
            errors.Report(
                "registration_too_large",
                "/registration",
                $"Topics and enforcers have {bytes:N0} bytes; at most {MostListBytes:N0} are allowed.",
                "Register fewer topics, or serve them with several workers."
            );
        }

        void CheckList(string name, IReadOnlyList<string?> items, int most)
        {
            if (items.Count > most || items.Any(IsBad))
            {
                errors.Report(
                    "bad_" + name,
                    "/registration/" + name,
                    $"Allowed are at most {most} texts of 1 to {LongestText} characters, none of them for control or formatting.",
                    "Leave out what is not."
                );
            }
        }
    }

    /// <summary>
    /// Too short, too long, or with a character that could forge a line of a log or a list, or make two names look the same: line breaks,
    /// escapes, directions of writing, blanks.
    /// </summary>
    public static bool IsBad(string? text) => string.IsNullOrEmpty(text) || text.Length > LongestText || Excerpt.HasInvisible(text);

    [GeneratedRegex(@"^[a-z0-9_-]{1,64}\z")]
    private static partial Regex PoolName();
}
