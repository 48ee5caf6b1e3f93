namespace Dispatcher.Policies.Files;

/// <summary>Reads lists of texts.</summary>
internal static class Lists
{
    /// <summary>The items of a list. A node that is not a list is reported and has no items.</summary>
    public static IReadOnlyList<YamlNode> Items(YamlNode? node, string what, ErrorList errors)
    {
        if (node is not null && node.Kind is not (NodeKind.List or NodeKind.Broken))
        {
            errors.Add(node, BundleErrorCodes.WrongKind, $"{what} is {Scalars.Kind(node)}; allowed: a list.", "write it as [a, b].");
        }

        return node?.Items ?? [];
    }

    /// <summary>A list of texts in the order of the file. It may be empty.</summary>
    public static IReadOnlyList<string> Texts(YamlNode node, string what, ErrorList errors) =>
        [.. Items(node, what, errors).Select(item => Scalars.Text(item, $"an item of {what}", errors)).OfType<string>()];

    /// <summary>As <see cref="Texts"/>, sorted and without duplicates.</summary>
    public static IReadOnlyList<string> Set(YamlNode node, string what, ErrorList errors) =>
        [.. Texts(node, what, errors).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];

    /// <summary>As <see cref="Set"/>, and an empty list is an error.</summary>
    public static IReadOnlyList<string> FilledSet(YamlNode node, string what, ErrorList errors)
    {
        if (node.Kind == NodeKind.List && node.Items.Count == 0)
        {
            errors.Add(
                node,
                BundleErrorCodes.Empty,
                $"{what} is an empty list; allowed: at least one item.",
                "name an item or remove the key."
            );
        }

        return Set(node, what, errors);
    }

    /// <summary>One text, or a list of at least one.</summary>
    public static IReadOnlyList<string> OneOrMore(YamlNode node, string what, ErrorList errors) =>
        node.Kind == NodeKind.Text
            ? Scalars.Text(node, what, errors) is { } text
                ? [text]
                : []
            : FilledSet(node, what, errors);
}
