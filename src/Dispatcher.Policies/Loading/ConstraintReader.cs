using System.Text.RegularExpressions;
using Dispatcher.Contracts;
using Dispatcher.Policies.Evaluating;

namespace Dispatcher.Policies.Loading;

/// <summary>Reads a rule's <c>constraints</c>.</summary>
internal static class ConstraintReader
{
    private const long MostTimeoutMs = 86_400_000;
    private const long MostOutputBytes = 1_048_576;

    public static Constraints Read(YamlNode node, ErrorList errors)
    {
        if (node is { Kind: NodeKind.Map, Entries.Count: 0 })
        {
            errors.Add(node, BundleErrorCodes.Empty, "constraints is empty; allowed: at least one.", "name one or write ALLOW.");
        }

        return ReadAny(node, errors);
    }

    /// <summary>As <see cref="Read"/>; there may be none.</summary>
    public static Constraints ReadAny(YamlNode node, ErrorList errors)
    {
        foreach (YamlEntry entry in Fields.Named(node, "constraints", errors))
        {
            CheckName(entry.Key, errors);
        }

        return new Constraints
        {
            AllowedHosts = Set(node.Get(ConstraintNames.AllowedHosts), ConstraintNames.AllowedHosts, Patterns.Host(), Patterns.HostWords, errors),
            AllowedCommands = Set(node.Get(ConstraintNames.AllowedCommands), ConstraintNames.AllowedCommands, Patterns.Command(), Patterns.CommandWords, errors),
            TimeoutMs = node.Get(ConstraintNames.TimeoutMs) is { } timeout ? Scalars.Number(timeout, ConstraintNames.TimeoutMs, 1, MostTimeoutMs, errors) : null,
            MaxOutputBytes = node.Get(ConstraintNames.MaxOutputBytes) is { } output ? Scalars.Number(output, ConstraintNames.MaxOutputBytes, 0, MostOutputBytes, errors) : null,
        };
    }

    /// <summary>Reports a word that is no constraint.</summary>
    public static void CheckName(YamlNode name, ErrorList errors)
    {
        if (name.Kind == NodeKind.Text && !ConstraintNames.All.Contains(name.Text, StringComparer.Ordinal))
        {
            errors.AddUnknown(name, BundleErrorCodes.UnknownConstraint, "constraint", ConstraintNames.All);
        }
    }

    private static IReadOnlyList<string>? Set(YamlNode? node, string what, Regex pattern, string allowed, ErrorList errors)
    {
        if (node is null)
        {
            return null;
        }

        IReadOnlyList<string> set = Lists.FilledSet(node, what, errors);
        foreach (YamlNode item in node.Items.Where(item => item.Kind == NodeKind.Text && !pattern.IsMatch(item.Text)))
        {
            errors.Add(item, BundleErrorCodes.BadValue, $"an item of {what} is '{item.Text}'; allowed: {allowed}.", "change it.");
        }

        return set;
    }
}
