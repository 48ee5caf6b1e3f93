using System.Reflection;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Dispatcher.UnitTests.Architecture;

namespace Dispatcher.UnitTests.Documents;

/// <summary>The doc comments of the shipped assemblies as Markdown, for the generated tables of <c>ops/README.md</c>.</summary>
internal static partial class XmlDocs
{
    private static readonly Lazy<Dictionary<string, XElement>> Members = new(() =>
        Shipped
            .Assemblies.SelectMany(assembly => XDocument.Load(Path.ChangeExtension(assembly.Location, ".xml")).Descendants("member"))
            .GroupBy(member => member.Attribute("name")!.Value)
            .ToDictionary(group => group.Key, group => group.First())
    );

    public static string Of(Type type) => Text($"T:{type.FullName}");

    public static string Of(PropertyInfo property) => Text($"P:{property.DeclaringType!.FullName}.{property.Name}");

    public static string Of(FieldInfo field) => Text($"F:{field.DeclaringType!.FullName}.{field.Name}");

    /// <summary>One line. A bar is escaped, because the text stands in a table.</summary>
    private static string Text(string member)
    {
        Assert.True(Members.Value.TryGetValue(member, out var documented), $"{member} has no doc comment, and ops/README.md shows it.");
        var text = string.Concat(documented.Elements("summary").Concat(documented.Elements("remarks")).Select(Inner));
        return Spaces().Replace(text, " ").Trim().Replace("|", "\\|", StringComparison.Ordinal);
    }

    private static string Inner(XElement element) => string.Concat(element.Nodes().Select(Markdown)) + " ";

    private static string Markdown(XNode node) =>
        node switch
        {
            XText text => text.Value,
            XElement { Name.LocalName: "c" } code => $"`{code.Value}`",
            XElement { Name.LocalName: "see" } see => Referenced(see),
            XElement { Name.LocalName: "para" } paragraph => Inner(paragraph),
            _ => throw new InvalidOperationException($"No table shows {node}."),
        };

    private static string Referenced(XElement see) =>
        see.Attribute("cref") is { } cref ? $"`{cref.Value.Split('(')[0].Split('.')[^1]}`" : see.Value;

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();
}
