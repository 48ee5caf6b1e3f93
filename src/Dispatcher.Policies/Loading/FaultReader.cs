using Dispatcher.Policies.Files;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Loading;

/// <summary>Reads the <c>faults</c> of a topic: its transient and terminal faults.</summary>
internal static class FaultReader
{
    public static FaultTable Read(YamlNode? node, ErrorList errors)
    {
        if (node is null || Fields.Of(node, "faults", errors, KeyHints.FaultsKeys) is not { } fields)
        {
            return FaultTable.Empty;
        }

        IReadOnlyList<string> transient = Rows(fields.Get("transient"), "transient", errors);
        IReadOnlyList<string> terminal = Rows(fields.Get("terminal"), "terminal", errors);
        foreach (var both in transient.Intersect(terminal, StringComparer.Ordinal))
        {
            errors.Add(
                node,
                BundleErrorCodes.DuplicateKey,
                $"'{both}' is listed under transient and under terminal; allowed: one of the two.",
                "remove one of them."
            );
        }

        return new FaultTable(transient, [.. terminal.Except(transient, StringComparer.Ordinal)]);
    }

    private static List<string> Rows(YamlNode? node, string what, ErrorList errors)
    {
        if (node is null)
        {
            return [];
        }

        return
        [
            .. Lists
                .Items(node, what, errors)
                .Select(item => Scalars.Text(item, $"an item of {what}", Patterns.Fault(), Patterns.FaultWords, errors))
                .OfType<string>()
                .Distinct(StringComparer.Ordinal)
                .Order(StringComparer.Ordinal),
        ];
    }
}
