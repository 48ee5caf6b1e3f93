using System.Reflection;
using System.Runtime.CompilerServices;
using System.Xml.Linq;
using Dispatcher.Contracts;

namespace Dispatcher.UnitTests.Contracts;

/// <summary>The README of the contracts is generated from their doc comments, so each public member needs one.</summary>
public sealed class DocumentationTests
{
    [Fact]
    public void Every_public_member_of_the_contracts_is_documented()
    {
        var documented = XDocument
            .Load(Path.ChangeExtension(typeof(SubmitJob).Assembly.Location, ".xml"))
            .Descendants("member")
            .Where(member => member.Element("summary")?.Value.Trim().Length > 0)
            .Select(member => member.Attribute("name")!.Value.Split('(')[0])
            .ToHashSet();

        var members = typeof(SubmitJob).Assembly.GetExportedTypes().SelectMany(Members).ToList();

        Assert.True(members.Count > 100);
        Assert.Equal([], members.Except(documented));
    }

    private static IEnumerable<string> Members(Type type)
    {
        yield return $"T:{type.FullName}";

        // Its members are generated.
        if (type == typeof(WireJson))
        {
            yield break;
        }

        const BindingFlags own = BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;
        foreach (var property in type.GetProperties(own))
        {
            yield return $"P:{type.FullName}.{property.Name}";
        }

        foreach (var field in type.GetFields(own).Where(field => !field.IsSpecialName))
        {
            yield return $"F:{type.FullName}.{field.Name}";
        }

        foreach (
            var method in type.GetMethods(own)
                .Where(method =>
                    !method.IsSpecialName && !method.IsDefined(typeof(CompilerGeneratedAttribute)) && !method.Name.StartsWith('<')
                )
        )
        {
            yield return $"M:{type.FullName}.{method.Name}";
        }
    }
}
