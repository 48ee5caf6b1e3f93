using System.Text.Json.Nodes;
using Dispatcher.Policies.Files;

namespace Dispatcher.UnitTests.Policies.Format;

/// <summary>The editor schemas and the readers agree, tested on documents that use every key and on each of them with one change.</summary>
public sealed class AgreementTests
{
    private static readonly string[] Replacements =
    [
        "null",
        "true",
        "\"x\"",
        "\"\"",
        "\"v2\"",
        "5",
        "0",
        "-1",
        "1000000000000",
        "0.5",
        "[]",
        "[\"x\"]",
        "[5]",
        "[[]]",
        "{}",
        "{\"x\": \"y\"}",
    ];

    public static TheoryData<string> Formats() => ["rules", "topics", "cases"];

    [Theory]
    [MemberData(nameof(Formats))]
    public void Document_with_every_key_is_accepted_by_reader_and_editor_schema(string name)
    {
        var format = BundleFormat.Of(name);
        HashSet<(string, string)> unused = [.. SchemaWalk.Keys(format.Root)];

        var sample = Samples.Of(name);
        foreach (var visit in SchemaWalk.Of(format.Root, sample).Where(visit => visit.Value is JsonObject))
        {
            unused.ExceptWith(visit.Value!.AsObject().Select(member => (visit.SchemaPath, member.Key)));
        }

        Assert.Empty(format.SchemaErrors(sample.ToJsonString()));
        Assert.Empty(format.ReaderErrors(sample.ToJsonString()));
        Assert.Empty(unused);
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Unknown_key_is_refused_by_reader_and_editor_schema_wherever_keys_are_fixed(string name)
    {
        var format = BundleFormat.Of(name);
        HashSet<string> closed = [.. SchemaWalk.Keys(format.Root).Select(key => key.SchemaPath)];
        foreach (var visit in Visits(format).Where(visit => SchemaWalk.IsClosed(visit.Schema)))
        {
            var changed = Change(format, visit.Path, value => value!.AsObject().Add("unknown", "x"));

            Assert.NotEmpty(format.SchemaErrors(changed));
            Assert.NotEmpty(format.ReaderErrorsOfFile(changed));
            closed.Remove(visit.SchemaPath);
        }

        Assert.Empty(closed);
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Each_listed_word_is_accepted_by_reader_and_editor_schema_and_any_other_by_neither(string name)
    {
        var format = BundleFormat.Of(name);
        HashSet<string> untaken = [];
        HashSet<string> taken = [];
        foreach (var visit in Visits(format).Where(visit => visit.Schema.TryGetProperty("enum", out _)))
        {
            foreach (var word in visit.Schema.GetProperty("enum").EnumerateArray().Select(word => word.GetString()!))
            {
                var isTaken = Agreed(format, Replace(format, visit.Path, JsonValue.Create(word)));
                (isTaken ? taken : untaken).Add($"{visit.SchemaPath} {word}");
            }

            Assert.False(Agreed(format, Replace(format, visit.Path, JsonValue.Create("other"))));
        }

        Assert.NotEmpty(taken);
        Assert.Empty(untaken.Except(taken));
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Reader_and_editor_schema_agree_on_any_single_change(string name)
    {
        var format = BundleFormat.Of(name);
        int[] answers = [0, 0];
        foreach (var changed in Changes(format).Distinct())
        {
            answers[Agreed(format, changed) ? 1 : 0]++;
        }

        // Both answers must be frequent, else the changes test nothing.
        Assert.True(answers.Min() > 50, $"{answers[0]} refused, {answers[1]} accepted");
    }

    [Theory]
    [InlineData("rules", "rules")]
    [InlineData("cases", "cases")]
    [InlineData("topics", "")]
    public void Shipped_files_are_valid_and_name_their_schema(string name, string below)
    {
        var format = BundleFormat.Of(name);
        var policies = Path.Combine(Repository.Root, "policies");
        var files = Directory.GetFiles(Path.Combine(policies, below), below.Length == 0 ? "topics.yaml" : "*.yaml");
        Assert.NotEmpty(files);

        foreach (var file in files)
        {
            Assert.Empty(format.SchemaErrors(File.ReadAllText(file)));

            // The rules of the checklist are shipped byte for byte.
            var first = File.ReadLines(file).First();
            var schema = Path.GetRelativePath(Path.GetDirectoryName(file)!, Path.Combine(policies, "format", $"{name}.schema.json"));
            Assert.True(
                first == $"# yaml-language-server: $schema={schema}" || file.EndsWith("rules/checklist.yaml", StringComparison.Ordinal),
                $"{file}: {first}"
            );
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Every_key_has_a_description(string name)
    {
        var visits = Visits(BundleFormat.Of(name));
        HashSet<string> described =
        [
            .. visits.Where(visit => visit.Schema.TryGetProperty("description", out _)).Select(visit => Pointer(visit.Path)),
        ];

        Assert.Empty(
            visits
                .Where(visit => visit.SchemaPath.Split('/') is [.., "properties", _])
                .Where(visit => !described.Contains(Pointer(visit.Path)))
                .Select(visit => visit.SchemaPath)
        );
    }

    [Fact]
    public void Folder_of_editor_schemas_is_not_part_of_the_bundle()
    {
        var files = BundleFolder.Read(Path.Combine(Repository.Root, "policies"));

        Assert.NotEmpty(files);
        Assert.DoesNotContain(files, file => file.Path.Contains("format", StringComparison.Ordinal));
    }

    /// <summary>Whether both accept a document; they must agree.</summary>
    private static bool Agreed(BundleFormat format, string document)
    {
        var bySchema = format.SchemaErrors(document);
        var byReader = format.ReaderErrorsOfFile(document);
        Assert.True(
            bySchema.Count == 0 == (byReader.Count == 0),
            $"{document}\nschema: {string.Join("; ", bySchema)}\nreader: {string.Join("; ", byReader)}"
        );
        return bySchema.Count == 0;
    }

    private static IEnumerable<string> Changes(BundleFormat format)
    {
        foreach (var visit in Visits(format))
        {
            foreach (var replacement in Replacements)
            {
                yield return Replace(format, visit.Path, JsonNode.Parse(replacement));
            }

            foreach (var key in (visit.Value as JsonObject)?.Select(member => member.Key) ?? [])
            {
                yield return Change(format, visit.Path, value => value!.AsObject().Remove(key));
                yield return Change(format, visit.Path, value => value!.AsObject().Add("A Name", value[key]!.DeepClone()));
            }
        }
    }

    private static IReadOnlyList<Visit> Visits(BundleFormat format) => SchemaWalk.Of(format.Root, Samples.Of(format.Name));

    private static string Replace(BundleFormat format, IReadOnlyList<object> path, JsonNode? value) =>
        path.Count == 0
            ? value?.ToJsonString() ?? "null"
            : Change(
                format,
                path.SkipLast(1),
                parent =>
                {
                    if (path[^1] is string key)
                    {
                        parent![key] = value;
                    }
                    else
                    {
                        parent![(int)path[^1]] = value;
                    }
                }
            );

    private static string Change(BundleFormat format, IEnumerable<object> path, Action<JsonNode?> change)
    {
        var document = Samples.Of(format.Name);
        change(path.Aggregate((JsonNode?)document, (value, step) => step is string key ? value![key] : value![(int)step]));
        return document.ToJsonString();
    }

    private static string Pointer(IEnumerable<object> path) => string.Concat(path.Select(step => $"/{step}"));
}
