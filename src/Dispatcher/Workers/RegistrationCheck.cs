using System.Text.RegularExpressions;
using Dispatcher.Contracts;

namespace Dispatcher.Workers;

/// <summary>What a registration must look like.</summary>
internal static partial class RegistrationCheck
{
    private const int LongestText = 128;
    private const int MostTopics = 256;
    private const int MostEnforcers = 64;
    private const int LargestCapacity = 1_024;

    /// <summary>Adds every error. Nothing to check: none.</summary>
    public static void Run(WorkerRegistration? registration, List<InputError> errors)
    {
        if (registration is null)
        {
            return;
        }

        if (!PoolName().IsMatch(registration.Pool))
        {
            Add("bad_pool", "/registration/pool", "It is no pool name; allowed are 1 to 64 of a-z, 0-9, _ and -.", "Name the pool as the registry does.");
        }

        if (registration.Capacity is < 0 or > LargestCapacity)
        {
            Add("bad_capacity", "/registration/capacity", $"{registration.Capacity} given; allowed are 0 to {LargestCapacity}.", "Say how many runs the instance can have at once; 0 when it stops.");
        }

        if (IsBad(registration.Version))
        {
            Add("bad_version", "/registration/version", $"Allowed are 1 to {LongestText} characters, none of them U+0000.", "For example \"1.4.2\".");
        }

        CheckList("topics", registration.Topics, MostTopics);
        CheckList("enforcers", registration.Enforcers, MostEnforcers);

        void CheckList(string name, IReadOnlyList<string?> items, int most)
        {
            if (items.Count > most || items.Any(IsBad))
            {
                Add("bad_" + name, "/registration/" + name, $"Allowed are at most {most} texts of 1 to {LongestText} characters, none of them U+0000.", "Leave out what is not.");
            }
        }

        void Add(string code, string where, string message, string fix) => errors.Add(new InputError { Code = code, Where = where, Message = message, Fix = fix });
    }

    private static bool IsBad(string? text) => string.IsNullOrEmpty(text) || text.Length > LongestText || text.Contains('\0', StringComparison.Ordinal);

    [GeneratedRegex(@"^[a-z0-9_-]{1,64}\z")]
    private static partial Regex PoolName();
}
