using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Dispatcher.Contracts;

namespace Dispatcher.UnitTests.Contracts;

/// <summary>
/// Writes the messages as tables and JSON examples for clients in other languages. Names, types and texts are those of the code.
/// </summary>
internal sealed partial class ContractPage
{
    private readonly Dictionary<string, XElement> _docs = XDocument
        .Load(Path.ChangeExtension(typeof(SubmitJob).Assembly.Location, ".xml"))
        .Descendants("member")
        .ToDictionary(member => member.Attribute("name")!.Value);

    private static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>One section for each message and each record in it, then one for each enum.</summary>
    public IEnumerable<string> Sections(params Type[] messages)
    {
        var shown = new List<Type>();
        foreach (var message in messages)
        {
            Collect(message, shown);
        }

        return shown.Where(type => !type.IsEnum).Select(Record).Concat(shown.Where(type => type.IsEnum).Select(Values));
    }

    private static void Collect(Type type, List<Type> shown)
    {
        if (type.Assembly != typeof(SubmitJob).Assembly || shown.Contains(type))
        {
            return;
        }

        shown.Add(type);
        foreach (var property in type.IsEnum ? [] : type.GetProperties())
        {
            Collect(Element(property.PropertyType), shown);
        }
    }

    private string Record(Type type) =>
        $"""
            ### {type.Name}

            {Sentences(type)}

            | field | type | required | meaning |
            |---|---|---|---|
            {string.Join('\n', type.GetProperties().Select(Row))}
            {Examples(type)}
            """;

    /// <summary>The fullest example of a message. A record inside a message has none.</summary>
    private static string Examples(Type type) =>
        SampleMessages
            .All()
            .Append((Name: nameof(WorkMessage), Json: SampleMessages.Work()))
            .Where(sample => sample.Name.Split(' ')[0] == type.Name)
            .OrderByDescending(sample => sample.Json.Length)
            .Select(sample => $"\n```json\n{JsonSerializer.Serialize(JsonNode.Parse(sample.Json), Indented)}\n```\n")
            .FirstOrDefault("");

    private string Row(PropertyInfo property) =>
        $"| `{Name(property)}` | {TypeOf(property.PropertyType)} | "
        + $"{(property.IsDefined(typeof(RequiredMemberAttribute)) ? "yes" : "no")} | "
        + $"{Text($"P:{property.DeclaringType!.FullName}.{property.Name}")} |";

    private string Values(Type type) =>
        $"""
            ### {type.Name}

            {Sentences(type)}

            | value | meaning |
            |---|---|
            {string.Join(
                '\n',
                type.GetFields(BindingFlags.Public | BindingFlags.Static).Select(value =>
                    $"| `{Name(value)}` | {Text($"F:{type.FullName}.{value.Name}")} |"
                )
            )}

            """;

    private static string TypeOf(Type type) =>
        (Nullable.GetUnderlyingType(type) ?? type) switch
        {
            var list when list.IsGenericType && list.GetGenericTypeDefinition() == typeof(IReadOnlyList<>) => "list of "
                + TypeOf(list.GenericTypeArguments[0]),
            var map when map == typeof(IReadOnlyDictionary<string, string>) => "map of text",
            var text when text == typeof(string) => "text",
            var number when number == typeof(int) || number == typeof(long) => "integer",
            var flag when flag == typeof(bool) => "boolean",
            var id when id == typeof(Guid) => "UUID",
            var time when time == typeof(DateTimeOffset) => "time",
            var any when any == typeof(JsonElement) => "JSON",
            var own => Link(own),
        };

    private static Type Element(Type type) =>
        Nullable.GetUnderlyingType(type) ?? (type.IsGenericType ? type.GenericTypeArguments[0] : type);

    private static string Link(Type type) => $"[{type.Name}](#{type.Name.ToLowerInvariant()})";

    private static string Name(MemberInfo member) =>
        member.GetCustomAttribute<JsonPropertyNameAttribute>()?.Name
        ?? member.GetCustomAttribute<JsonStringEnumMemberNameAttribute>()!.Name;

    /// <summary>The text of a type, one sentence on a line.</summary>
    private string Sentences(Type type) => Text($"T:{type.FullName}").Replace(". ", ".\n", StringComparison.Ordinal);

    private string Text(string member) =>
        Spaces()
            .Replace(
                string.Concat(_docs[member].Elements().SelectMany(element => element.Nodes().Append(new XText(" "))).Select(Text)),
                " "
            )
            .Trim()
            .Replace("|", "\\|", StringComparison.Ordinal);

    private static string Text(XNode node) =>
        node switch
        {
            XElement { Name.LocalName: "see" } see => Reference(see.Attribute("cref")!.Value),
            XElement { Name.LocalName: "c" } code => $"`{code.Value}`",
            XText text => text.Value,
            _ => throw new InvalidOperationException($"The page has no form for {node}."),
        };

    /// <summary>The target of a cref, by its name on the wire.</summary>
    private static string Reference(string cref)
    {
        var (kind, name) = (cref[0], cref[2..].Split('(')[0]);
        if (kind == 'T')
        {
            return Link(typeof(SubmitJob).Assembly.GetType(name, throwOnError: true)!);
        }

        var owner = typeof(SubmitJob).Assembly.GetType(name[..name.LastIndexOf('.')], throwOnError: true)!;
        var member = owner.GetMember(name[(name.LastIndexOf('.') + 1)..]).Single();
        return member switch
        {
            FieldInfo { IsLiteral: true, DeclaringType.IsEnum: false } constant => constant.FieldType == typeof(string)
                ? $"`{constant.GetRawConstantValue()}`"
                : $"{constant.GetRawConstantValue()}",
            MethodInfo method => $"`{method.Invoke(null, ["<pool>"])}`",
            _ => $"`{Name(member)}`",
        };
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();
}
