using Dispatcher.Contracts;
using Dispatcher.Policies.Files;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Loading;

/// <summary>Reads a rule's <c>constraints</c>.</summary>
internal static class ConstraintReader
{
    private const long MaxTimeoutMs = 86_400_000;
    private const long MaxOutputBytes = 1_048_576;

    public static Constraints Read(YamlNode node, ErrorList errors)
    {
        if (node is { Kind: NodeKind.Map, Entries.Count: 0 })
        {
            errors.Add(node, BundleErrorCodes.Empty, "constraints is empty; allowed: at least one.", "name one or write ALLOW.");
        }

        return ReadAny(node, errors);
    }

    /// <summary>As <see cref="Read"/>, but the mapping may be empty.</summary>
    public static Constraints ReadAny(YamlNode node, ErrorList errors)
    {
        var fields = Fields.OfNames(node, "constraints", BundleErrorCodes.UnknownConstraint, "constraint", ConstraintNames.All, errors);
        return new Constraints
        {
            AllowedHosts = Set(fields, ConstraintNames.AllowedHosts, AllowedHosts.IsWellFormed, AllowedHosts.Words, errors),
            AllowedCommands = Set(fields, ConstraintNames.AllowedCommands, Patterns.Command().IsMatch, Patterns.CommandWords, errors),
            TimeoutMs = fields?.Get(ConstraintNames.TimeoutMs) is { } timeout
                ? Scalars.Number(timeout, ConstraintNames.TimeoutMs, 1, MaxTimeoutMs, errors)
                : null,
            MaxOutputBytes = fields?.Get(ConstraintNames.MaxOutputBytes) is { } output
                ? Scalars.Number(output, ConstraintNames.MaxOutputBytes, 0, MaxOutputBytes, errors)
                : null,
        };
    }

    /// <summary>Names of constraints, sorted. An unknown word is reported and replaced by the nearest name.</summary>
    public static IReadOnlyList<string> Names(YamlNode list, string what, ErrorList errors) =>
        [
            .. Lists
                .Items(list, what, errors)
                .Select(item => Name(item, what, errors))
                .OfType<string>()
                .Distinct(StringComparer.Ordinal)
                .Order(StringComparer.Ordinal),
        ];

    private static string? Name(YamlNode item, string what, ErrorList errors) =>
        Scalars.Text(item, $"an item of {what}", errors) is not { } name ? null
        : ConstraintNames.All.Contains(name, StringComparer.Ordinal) ? name
        : errors.AddUnknown(item, BundleErrorCodes.UnknownConstraint, "constraint", ConstraintNames.All);

    private static IReadOnlyList<string>? Set(Fields? fields, string what, Func<string, bool> isAllowed, string allowed, ErrorList errors)
    {
        if (fields?.Get(what) is not { } node)
        {
            return null;
        }

        var set = Lists.FilledSet(node, what, errors);
        foreach (var item in node.Items.Where(item => item.Kind == NodeKind.Text && !isAllowed(item.Text)))
        {
            errors.Add(
                item,
                BundleErrorCodes.BadValue,
                $"an item of {what} is '{item.Text}'; allowed: {allowed}.",
                "write an allowed value."
            );
        }

        return set;
    }
}
