using System.Text.Json;
using System.Text.RegularExpressions;
using Dispatcher.Policies.Files;

namespace Dispatcher.Policies.Testing;

/// <summary>Converts a payload in YAML to the JSON that a producer would send.</summary>
internal static partial class YamlJson
{
    public static byte[] Write(YamlNode node, ErrorList errors)
    {
        using MemoryStream bytes = new();
        using (Utf8JsonWriter json = new(bytes))
        {
            Write(node, json, errors);
        }

        return bytes.ToArray();
    }

    private static void Write(YamlNode node, Utf8JsonWriter json, ErrorList errors)
    {
        switch (node.Kind)
        {
            case NodeKind.Map:
                json.WriteStartObject();
                foreach (var entry in node.Entries)
                {
                    json.WritePropertyName(entry.Key.Text);
                    Write(entry.Value, json, errors);
                }

                json.WriteEndObject();
                break;
            case NodeKind.List:
                json.WriteStartArray();
                foreach (var item in node.Items)
                {
                    Write(item, json, errors);
                }

                json.WriteEndArray();
                break;
            case NodeKind.Text when node.IsPlain && JsonLiteral().IsMatch(node.Text):
                json.WriteRawValue(node.Text);
                break;
            case NodeKind.Text or NodeKind.Broken:
                json.WriteStringValue(Scalars.Text(node, "a value of the payload", errors) ?? "");
                break;
        }
    }

    [GeneratedRegex(@"\A(true|false|null|-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?)\z")]
    private static partial Regex JsonLiteral();
}
