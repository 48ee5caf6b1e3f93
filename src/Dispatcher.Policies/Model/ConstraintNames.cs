using Dispatcher.Contracts;

namespace Dispatcher.Policies.Model;

/// <summary>The closed list of constraints, as in YAML and on the wire.</summary>
internal static class ConstraintNames
{
    public const string AllowedCommands = "allowed_commands";
    public const string AllowedHosts = "allowed_hosts";
    public const string MaxOutputBytes = "max_output_bytes";
    public const string TimeoutMs = "timeout_ms";

    public static readonly string[] All = [AllowedCommands, AllowedHosts, MaxOutputBytes, TimeoutMs];

    /// <summary>The names of the constraints that are set.</summary>
    public static IReadOnlyList<string> In(Constraints constraints)
    {
        List<string> names = [];
        AddIf(constraints.AllowedCommands is not null, AllowedCommands);
        AddIf(constraints.AllowedHosts is not null, AllowedHosts);
        AddIf(constraints.MaxOutputBytes is not null, MaxOutputBytes);
        AddIf(constraints.TimeoutMs is not null, TimeoutMs);
        return names;

        void AddIf(bool isSet, string name)
        {
            if (isSet)
            {
                names.Add(name);
            }
        }
    }
}
