using System.Text.Json;

namespace Dispatcher.Policies.Schemas;

/// <summary>The requirements of a schema, as far as <see cref="Sample"/> uses them.</summary>
internal sealed class Shape
{
    public List<string> Types { get; } = [];

    /// <summary>The only allowed values. Empty: any value.</summary>
    public List<JsonElement> Values { get; } = [];

    public List<string> Required { get; } = [];

    public Dictionary<string, JsonSchema> Members { get; } = new(StringComparer.Ordinal);

    public JsonSchema? Items { get; set; }

    public int LeastLength { get; set; }

    public int LeastItems { get; set; }

    /// <summary>The least allowed number. Null: any number.</summary>
    public decimal? LeastNumber { get; set; }
}
