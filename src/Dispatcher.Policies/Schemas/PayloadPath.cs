using Dispatcher.Policies.Texts;

namespace Dispatcher.Policies.Schemas;

/// <summary>A place in a payload as a chain of names; it becomes a JSON pointer only for an error.</summary>
internal sealed record PayloadPath(PayloadPath? Parent, string Name)
{
    private const int MaxLength = 256;

    public static readonly PayloadPath Root = new(null, "");

    public PayloadPath Below(string name) => new(this, name);

    public string Pointer()
    {
        Stack<string> names = [];
        for (var place = this; place.Parent is not null; place = place.Parent)
        {
            names.Push(Escape(Excerpt.Of(place.Name, MaxLength)));
        }

        return names.Count == 0 ? "" : Excerpt.Of("/" + string.Join('/', names), MaxLength);
    }

    private static string Escape(string name) =>
        name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);
}
