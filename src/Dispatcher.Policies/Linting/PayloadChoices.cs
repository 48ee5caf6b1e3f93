using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dispatcher.Policies.Evaluating;

namespace Dispatcher.Policies.Linting;

/// <summary>What a payload may have at one place, as far as the derived labels can tell.</summary>
internal sealed class PayloadChoices
{
    // JSON nested deeper than 64 is not read, so that a label from there is always absent.
    private const int MostSegments = 63;

    private static readonly byte[] Empty = "{}"u8.ToArray();

    private PayloadChoices(string path, IReadOnlyList<RegisteredLabel> labels)
    {
        Path = path;
        Labels = labels;

        // Elements are told apart only by the longest row that they begin with, and whether something follows. So these stand for all.
        string other = Fresh.Besides(labels.SelectMany(label => label.Spec.Derive!.Table).SelectMany(row => row.Elements), "other");
        IEnumerable<IReadOnlyList<string>> rows = labels.SelectMany(label => label.Spec.Derive!.Table).Select(row => row.Elements);
        Choices =
        [
            .. rows.Append([]).SelectMany(elements => new[] { elements, [.. elements, other] }).Prepend(null).Select(elements => new Choice(path, elements, Values(elements)))
                .Where(choice => labels.Zip(choice.Values).All(pair => IsAllowed(pair.First.Spec, pair.Second)))
                .DistinctBy(choice => string.Join('\n', choice.Values.Select(value => value is null ? "-" : "+" + value)), StringComparer.Ordinal),
        ];
    }

    public string Path { get; }

    /// <summary>The labels that are derived from here.</summary>
    public IReadOnlyList<RegisteredLabel> Labels { get; }

    /// <summary>One for each set of values that the registry lets through.</summary>
    public IReadOnlyList<Choice> Choices { get; }

    public static IReadOnlyList<PayloadChoices> Of(CompiledTopic topic) =>
    [
        .. topic.Labels.Where(label => label.Spec.Derive is not null)
            .GroupBy(label => label.Spec.Derive!.Path, StringComparer.Ordinal)
            .Select(same => new PayloadChoices(same.Key, [.. same])),
    ];

    /// <summary>The values that the label can get.</summary>
    public IEnumerable<string> ValuesOf(string label)
    {
        int index = Labels.ToList().FindIndex(derived => derived.Name == label);
        return Choices.Select(choice => choice.Values[index]).OfType<string>();
    }

    public static byte[] Payload(IReadOnlyList<Choice> choices)
    {
        if (choices.All(choice => choice.Elements is null))
        {
            return Empty;
        }

        JsonNode root = new JsonObject();
        foreach (Choice choice in choices.Where(choice => choice.Elements is not null))
        {
            JsonArray elements = [.. choice.Elements!.Select(element => JsonValue.Create(element))];
            string[] names = [.. choice.Path.Split('/').Skip(1).Select(Name)];
            if (names.Length == 0)
            {
                root = elements;
            }
            else if (names.Length < MostSegments && Parent(root, names) is { } parent)
            {
                parent[names[^1]] = elements;
            }
        }

        return Encoding.UTF8.GetBytes(root.ToJsonString());
    }

    private static JsonObject? Parent(JsonNode root, string[] names)
    {
        JsonObject? parent = root as JsonObject;
        foreach (string name in names.SkipLast(1))
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

    private static string Name(string token) => token.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);

    private IReadOnlyList<string?> Values(IReadOnlyList<string>? elements)
    {
        using JsonDocument? payload = DerivedValue.Parse(Payload([new Choice(Path, elements, [])]));
        return [.. Labels.Select(label => payload is null ? null : DerivedValue.Of(payload.RootElement, label.Spec.Derive!))];
    }

    private static bool IsAllowed(LabelSpec spec, string? value) =>
        value is null ? !spec.Required : spec.Values is null || spec.Values.Contains(value, StringComparer.Ordinal);
}

/// <summary>What a payload has at one place, and the values that the labels get from it.</summary>
/// <param name="Path">The JSON pointer.</param>
/// <param name="Elements">Null: nothing is there.</param>
/// <param name="Values">By the order of the labels; null for an absent one.</param>
internal sealed record Choice(string Path, IReadOnlyList<string>? Elements, IReadOnlyList<string?> Values);
