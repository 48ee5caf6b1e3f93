using System.Text;
using System.Text.RegularExpressions;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Policies.Texts;

namespace Dispatcher.Dispatching;

/// <summary>Checks the registration of a worker.</summary>
internal static partial class RegistrationCheck
{
    public const int MaxText = 128;
    private const int MaxTopics = 256;
    private const int MaxEnforcers = 64;

    /// <summary>Maximum size of all topics and enforcers of one registration, in bytes of UTF-8. It is stored for each instance.</summary>
    private const int MaxListBytes = 16_384;

    /// <summary>
    /// Maximum capacity of one instance, and the maximum that counts for one key in one pool: see <see cref="WorkerRegister.Capacity"/>.
    /// </summary>
    public const int MaxCapacity = 1_024;

    /// <summary>Adds every error. A null registration has none.</summary>
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
                "Not a pool name; allowed are 1 to 64 of a-z, 0-9, _ and -.",
                "Name the pool as the registry does."
            );
        }

        if (registration.Capacity is < 0 or > MaxCapacity)
        {
            errors.Report(
                "bad_capacity",
                "/registration/capacity",
                $"{registration.Capacity} given; allowed are 0 to {MaxCapacity}.",
                "Send how many runs the instance can have at once; 0 when it stops."
            );
        }

        if (IsBad(registration.Version))
        {
            errors.Report(
                "bad_version",
                "/registration/version",
                $"Allowed are 1 to {MaxText} characters, without control and formatting characters.",
                "For example \"1.4.2\"."
            );
        }

        if (registration.Dropped < 0 || (registration.Dropping is { } dropping && IsBad(dropping)))
        {
            errors.Report(
                "bad_dropping",
                "/registration/dropping",
                $"dropped: {registration.Dropped} given, allowed is 0 or more; dropping: allowed are null and 1 to {MaxText} characters, "
                    + "without control and formatting characters.",
                "Send the number of dropped deliveries and a one-word reason."
            );
        }

        CheckList("topics", registration.Topics, MaxTopics);
        CheckList("enforcers", registration.Enforcers, MaxEnforcers);
        var bytes = registration.Topics.Concat(registration.Enforcers).Sum(text => Encoding.UTF8.GetByteCount(text ?? ""));
        if (bytes > MaxListBytes)
        {
            errors.Report(
                "registration_too_large",
                "/registration",
                $"Topics and enforcers have {bytes:N0} bytes; at most {MaxListBytes:N0} are allowed.",
                "Register fewer topics, or serve them with several workers."
            );
        }

        void CheckList(string name, IReadOnlyList<string?> items, int max)
        {
            if (items.Count > max || items.Any(IsBad))
            {
                errors.Report(
                    "bad_" + name,
                    "/registration/" + name,
                    $"Allowed are at most {max} texts of 1 to {MaxText} characters, without control and formatting characters.",
                    "Register fewer, and remove texts that are empty, too long or have such characters."
                );
            }
        }
    }

    /// <summary>
    /// Whether a text is empty, too long, or has a character that could forge a line of a log or make two names look the same: line breaks,
    /// escapes, directions of writing, blanks.
    /// </summary>
    public static bool IsBad(string? text) => string.IsNullOrEmpty(text) || text.Length > MaxText || Excerpt.HasInvisible(text);

    [GeneratedRegex(@"^[a-z0-9_-]{1,64}\z")]
    private static partial Regex PoolName();
}
