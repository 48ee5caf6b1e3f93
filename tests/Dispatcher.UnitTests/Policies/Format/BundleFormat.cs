using System.Text;
using System.Text.Json;
using Dispatcher.Policies;
using Dispatcher.Policies.Files;
using Dispatcher.Policies.Model;
using Dispatcher.Policies.Schemas;
using Dispatcher.Policies.Testing;

namespace Dispatcher.UnitTests.Policies.Format;

/// <summary>One kind of file of a bundle: its editor schema, and the reader that decides.</summary>
internal sealed class BundleFormat
{
    /// <summary>Conditions between two places of a file, or between two files, which no schema can express.</summary>
    private static readonly string[] OfReaderAlone =
    [
        BundleErrorCodes.UnknownPool,
        BundleErrorCodes.UnknownSchema,
        BundleErrorCodes.UnusedSchema,
        BundleErrorCodes.DuplicateId,
    ];

    private readonly PayloadSchema _schema;
    private readonly Func<string, ABundle> _bundle;

    private BundleFormat(string name, Func<string, ABundle> bundle)
    {
        var bytes = File.ReadAllBytes(Path.Combine(Repository.Root, "policies", "format", $"{name}.schema.json"));
        using var document = JsonDocument.Parse(bytes);
        ErrorList errors = new();
        var schema = SchemaFile.Read(new BundleFile($"format/{name}.schema.json", bytes), errors);
        Assert.Empty(errors.Errors);
        Name = name;
        Root = document.RootElement.Clone();
        _schema = schema!;
        _bundle = bundle;
    }

    public string Name { get; }

    /// <summary>The text of the schema.</summary>
    public JsonElement Root { get; }

    public static BundleFormat Of(string name) =>
        name switch
        {
            "rules" => new BundleFormat(name, text => ABundle.WithRules().AndFile("rules/test.yaml", text)),
            "topics" => new BundleFormat(
                name,
                text => ABundle.WithRules().AndFile("topics.yaml", text).AndFile("schemas/payload.json", "{}")
            ),
            "cases" => new BundleFormat(name, text => ABundle.WithRules().AndFile("cases/test.yaml", text)),
            _ => throw new ArgumentOutOfRangeException(nameof(name), name, "no such format"),
        };

    /// <summary>The errors that an editor underlines.</summary>
    public IReadOnlyList<PayloadError> SchemaErrors(string yaml)
    {
        ErrorList errors = new();
        var root = YamlReader.Read(new BundleFile("text.yaml", Encoding.UTF8.GetBytes(yaml)), errors).Root;
        var json = YamlJson.Write(root!, errors);
        Assert.Empty(errors.Errors);
        return _schema.Check(json);
    }

    /// <summary>The errors of loading such a file.</summary>
    public IReadOnlyList<BundleError> ReaderErrors(string yaml) => PolicyTest.Run(_bundle(yaml).Files, ABundle.Now).Errors;

    /// <summary>As <see cref="ReaderErrors"/>, but only those of this file.</summary>
    public IReadOnlyList<BundleError> ReaderErrorsOfFile(string yaml) =>
        [.. ReaderErrors(yaml).Where(error => !OfReaderAlone.Contains(error.Code))];
}
