using System.Text;
using System.Text.Json.Nodes;
using Dispatcher.Policies.Evaluating;
using Dispatcher.Policies.Model;
using Dispatcher.Policies.Schemas;

namespace Dispatcher.Policies.Linting;

/// <summary>The values that a payload may have at one place, as far as derived labels can distinguish them.</summary>
internal sealed class PayloadChoices
{
    // JSON nested deeper than 64 levels is not parsed, so a label from there is always absent.
    private const int MaxSegments = 63;
    private const int MaxListed = 100;

    private static readonly byte[] Empty = "{}"u8.ToArray();

    private PayloadChoices(string path, IReadOnlyList<RegisteredLabel> labels, PayloadSchema? schema)
    {
        Path = path;
        Labels = labels;

        Choices =
        [
            .. Listed(path, schema)
                .Concat(Candidates(labels))
                .Prepend(null)
                .Select(elements => new PayloadChoice(path, elements, IsText(elements), Values(elements)))
                .Where(choice => labels.Zip(choice.Values).All(pair => IsAllowed(pair.First.Spec, pair.Second)))
                .DistinctBy(
                    choice => string.Join('\n', choice.Values.Select(value => value is null ? "-" : "+" + value)),
                    StringComparer.Ordinal
                ),
        ];
    }

    public string Path { get; }

    /// <summary>The labels that are derived from here.</summary>
    public IReadOnlyList<RegisteredLabel> Labels { get; }

    /// <summary>One choice for each combination of label values that the registry accepts.</summary>
    public IReadOnlyList<PayloadChoice> Choices { get; }

    /// <summary>False: several labels compare different parts of the value, so some combinations of values have no choice.</summary>
    public bool IsExact =>
        Labels.Count == 1
        || Labels.All(label =>
            !label.Spec.Derive!.NeedsText && label.Spec.Derive.Table.All(row => row.Fit is RowComparison.Exact or RowComparison.Prefix)
        );

    public static IReadOnlyList<PayloadChoices> Of(CompiledTopic topic) =>
        [
            .. topic
                .Labels.Where(label => label.Spec.Derive is not null)
                .GroupBy(label => label.Spec.Derive!.Path, StringComparer.Ordinal)
                .Select(same => new PayloadChoices(same.Key, [.. same], topic.Schema)),
        ];

    /// <summary>The values that the label can get.</summary>
    public IEnumerable<string> ValuesOf(string label)
    {
        var index = Labels.ToList().FindIndex(derived => derived.Name == label);
        return Choices.Select(choice => choice.Values[index]).OfType<string>();
    }

    public static byte[] Payload(IReadOnlyList<PayloadChoice> choices)
    {
        if (choices.All(choice => choice.Elements is null))
        {
            return Empty;
        }

        JsonNode root = new JsonObject();
        foreach (var choice in choices.Where(choice => choice.Elements is not null))
        {
            JsonNode elements = choice.IsText
                ? JsonValue.Create(choice.Elements![0])
                : new JsonArray([.. choice.Elements!.Select(element => JsonValue.Create(element))]);
            var names = Names(choice.Path);
            if (names.Length == 0)
            {
                root = elements;
            }
            else if (names.Length < MaxSegments && Parent(root, names) is { } parent)
            {
                parent[names[^1]] = elements;
            }
        }

        return Encoding.UTF8.GetBytes(root.ToJsonString());
    }

    private static JsonObject? Parent(JsonNode root, string[] names)
    {
        var parent = root as JsonObject;
        foreach (var name in names.SkipLast(1))
        {
            if (parent is null)
            {
                return null;
            }

            parent.TryAdd(name, new JsonObject());
            parent = parent[name] as JsonObject;
        }

        return parent;
    }

    /// <summary>Values that the schema lists. They come first, because the schema refuses others that give the same labels.</summary>
    private static IEnumerable<IReadOnlyList<string>?> Listed(string path, PayloadSchema? schema) =>
        (schema?.TextsAt(Names(path)) ?? []).Take(MaxListed).Select(text => (IReadOnlyList<string>)[text]);

    private static string[] Names(string path) => [.. path.Split('/').Skip(1).Select(Name)];

    private static string Name(string token) =>
        token.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);

    /// <summary>
    /// Rows distinguish elements only by the elements that they begin or end with. These candidates therefore represent all: each beginning
    /// with each end, with and without an element between them. The same applies to characters, after the separators of the labels.
    /// </summary>
    private static IEnumerable<IReadOnlyList<string>?> Candidates(IReadOnlyList<RegisteredLabel> labels)
    {
        List<DerivationRow> rows = [.. labels.SelectMany(label => label.Spec.Derive!.Table)];
        var other = Other(rows);
        List<string> texts =
        [
            .. rows.Where(row => row.Elements.Count == 1).Select(row => row.Elements[0]),
            .. Joined(rows, RowComparison.StartsWith, RowComparison.EndsWith, other),
        ];
        var parts = labels
            .Select(label => label.Spec.Derive!.Part)
            .OfType<DerivedPart>()
            .Distinct()
            .SelectMany(part => texts.Append(other).Select(text => other + part.Separator + text));
        return Lists(rows, other).Concat(texts.Concat(parts).Select(text => (IReadOnlyList<string>)[text]));
    }

    private static IEnumerable<IReadOnlyList<string>> Lists(List<DerivationRow> rows, string other) =>
        from head in rows.Where(row => row.Fit is RowComparison.Exact or RowComparison.Prefix).Select(row => row.Elements).Append([])
        from tail in rows.Where(row => row.Fit is RowComparison.Suffix).Select(row => row.Elements).Append([])
        from middle in new string[][] { [], [other] }
        select (IReadOnlyList<string>)[.. head, .. middle, .. tail];

    private static IEnumerable<string> Joined(List<DerivationRow> rows, RowComparison begin, RowComparison end, string other) =>
        from head in rows.Where(row => row.Fit == begin).Select(row => row.Elements[0]).Append("")
        from tail in rows.Where(row => row.Fit == end).Select(row => row.Elements[0]).Append("")
        from middle in new[] { "", other }
        where (head + middle + tail).Length > 0
        select head + middle + tail;

    /// <summary>A text that no row names, and whose beginning and end no row matches.</summary>
    private static string Other(List<DerivationRow> rows)
    {
        List<string> characters =
        [
            .. rows.Where(row => row.Fit is RowComparison.StartsWith or RowComparison.EndsWith).Select(row => row.Elements[0]),
        ];
        if (
            !characters.Exists(text =>
                "other".StartsWith(text, StringComparison.Ordinal) || "other".EndsWith(text, StringComparison.Ordinal)
            )
        )
        {
            return UnusedValue.Besides(rows.SelectMany(row => row.Elements), "other");
        }

        var unused = 'A';
        while (characters.Exists(text => text.Contains(unused, StringComparison.Ordinal)))
        {
            unused++;
        }

        return UnusedValue.Besides(rows.SelectMany(row => row.Elements), unused.ToString());
    }

    private bool IsText(IReadOnlyList<string>? elements) => elements is [_] && Labels.Any(label => label.Spec.Derive!.NeedsText);

    private IReadOnlyList<string?> Values(IReadOnlyList<string>? elements)
    {
        using var payload = PayloadJson.Parse(Payload([new PayloadChoice(Path, elements, IsText(elements), [])]));
        return [.. Labels.Select(label => payload is null ? null : DerivedValue.Of(payload.RootElement, label.Spec.Derive!))];
    }

    private static bool IsAllowed(LabelSpec spec, string? value) =>
        value is null ? !spec.Required : spec.Values is null || spec.Values.Contains(value, StringComparer.Ordinal);
}

/// <summary>The value of a payload at one place, and the label values derived from it.</summary>
/// <param name="Path">The JSON pointer.</param>
/// <param name="Elements">Null: the place is absent.</param>
/// <param name="IsText">Whether the single element is a text instead of a list.</param>
/// <param name="Values">In the order of the labels; null for an absent label.</param>
internal sealed record PayloadChoice(string Path, IReadOnlyList<string>? Elements, bool IsText, IReadOnlyList<string?> Values);
