using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Dispatcher.UnitTests.Documents;

/// <summary>The images of <c>dotnet publish</c> set the variables of the images of <c>docker/Dockerfile</c>.</summary>
public sealed partial class ImageTests
{
    [Theory]
    [InlineData("Dispatcher", "server")]
    [InlineData("Dispatcher.ReferenceWorker", "worker")]
    public void Published_image_sets_the_variables_of_the_dockerfile(string project, string target)
    {
        var file = File.ReadAllText(Path.Combine(Repository.Root, "docker", "Dockerfile"));
        var expected = Variables(Stage(file, "base")).Concat(Variables(Stage(file, target))).ToDictionary();
        // The Dockerfile copies the policies of the checkout; "dotnet publish" puts them beside the program.
        expected = expected.ToDictionary(one => one.Key, one => one.Key == "DISPATCHER_POLICIES" ? "/app/policies" : one.Value);

        var published = XDocument
            .Load(Path.Combine(Repository.Root, "src", project, $"{project}.csproj"))
            .Descendants("ContainerEnvironmentVariable")
            .ToDictionary(item => item.Attribute("Include")!.Value, item => item.Attribute("Value")!.Value);

        Assert.True(expected.Count > 4);
        Assert.Equal(expected.OrderBy(one => one.Key, StringComparer.Ordinal), published.OrderBy(one => one.Key, StringComparer.Ordinal));
    }

    private static string Stage(string file, string name) =>
        file.Split("\nFROM ").Single(stage => stage.Split('\n')[0].EndsWith($" AS {name}", StringComparison.Ordinal));

    private static Dictionary<string, string> Variables(string stage) =>
        stage
            .Split('\n')
            .Where(line => line.StartsWith("ENV ", StringComparison.Ordinal))
            .SelectMany(line => Variable().Matches(line[3..]))
            .ToDictionary(match => match.Groups[1].Value, match => match.Groups[2].Value);

    [GeneratedRegex(" ([A-Za-z0-9_]+)=([^ ]*)")]
    private static partial Regex Variable();
}
