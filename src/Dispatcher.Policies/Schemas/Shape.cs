using System.Text.Json;

namespace Dispatcher.Policies.Schemas;

/// <summary>What a schema asks for, as far as <see cref="Sample"/> can follow it.</summary>
internal sealed class Shape
{
    public List<string> Types { get; } = [];

    /// <summary>The only values that are allowed, if there are any.</summary>
    public List<JsonElement> Values { get; } = [];

    public List<string> Required { get; } = [];

    public Dictionary<string, JsonSchema> Members { get; } = new(StringComparer.Ordinal);

    public JsonSchema? Items { get; set; }

    public int LeastLength { get; set; }

    public int LeastItems { get; set; }

    /// <summary>Null: any number will do.</summary>
    public decimal? LeastNumber { get; set; }
}
