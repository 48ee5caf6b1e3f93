using System.Text;
using Dispatcher.Policies.Files;
using Dispatcher.Policies.Model;

namespace Dispatcher.UnitTests.Policies.Schemas;

public class SchemaLoadTests
{
    [Theory]
    [InlineData("{\n\"type\": \"object\",,\n}", "bad_json", 2)]
    [InlineData("{\n\"type\": \"object\",\n\"type\": \"string\" }", "duplicate_key", 3)]
    [InlineData("{\n\"type\": \"object\", \"properties\": {\n\"a\": {\n\"if\": {} } } }", "unknown_keyword", 4)]
    [InlineData("{\n\"format\": \"email\" }", "unknown_keyword", 2)]
    [InlineData("{\n\"default\": 1 }", "unknown_keyword", 2)]
    [InlineData("{ \"type\": \"object\", \"properties\": { \"a\": {\n\"$defs\": {} } } }", "unknown_keyword", 2)]
    [InlineData("{\n\"$schema\": \"http://json-schema.org/draft-07/schema#\" }", "bad_value", 2)]
    [InlineData("{\n\"$ref\": \"https://example.com/a.json\" }", "bad_value", 2)]
    [InlineData("{\n\"$ref\": \"#/$defs/text\" }", "bad_value", 2)]
    [InlineData("{\n\"$ref\": \"#\" }", "bad_value", 2)]
    [InlineData("{ \"$defs\": {\n\"a\": { \"anyOf\": [{ \"$ref\": \"#/$defs/a\" }] } } }", "bad_value", 2)]
    [InlineData("{\n\"type\": \"strin\" }", "bad_value", 2)]
    [InlineData("{\n\"type\": [] }", "empty", 2)]
    [InlineData("{\n\"enum\": [] }", "empty", 2)]
    [InlineData("{\n\"anyOf\": [] }", "empty", 2)]
    [InlineData("{\n\"anyOf\": {} }", "wrong_kind", 2)]
    [InlineData("\n[]", "wrong_kind", 2)]
    [InlineData("\ntrue", "wrong_kind", 2)]
    [InlineData("{ \"type\": \"object\",\n\"required\": [1] }", "wrong_kind", 2)]
    [InlineData("{ \"type\": \"string\",\n\"maxLength\": -1 }", "bad_value", 2)]
    [InlineData("{ \"type\": \"number\",\n\"maximum\": \"5\" }", "bad_value", 2)]
    [InlineData("{ \"type\": \"number\",\n\"maximum\": 1e999999999999999999999 }", "bad_value", 2)]
    [InlineData("{ \"type\": \"array\",\n\"uniqueItems\": true }", "bad_value", 2)]
    [InlineData("{ \"type\": \"array\", \"maxItems\": 257,\n\"uniqueItems\": true }", "bad_value", 2)]
    [InlineData("{\n\"maxLength\": 5 }", "no_effect", 2)]
    [InlineData("{ \"type\": \"string\",\n\"properties\": {} }", "no_effect", 2)]
    [InlineData("{ \"type\": \"string\",\n\"pattern\": \"(\" }", "bad_pattern", 2)]
    [InlineData("{ \"type\": \"string\",\n\"pattern\": \"(?=a)\" }", "bad_pattern", 2)]
    [InlineData("{ \"type\": \"string\",\n\"pattern\": \"(a)\\\\1\" }", "bad_pattern", 2)]
    [InlineData("{ \"type\": \"string\",\n\"pattern\": \"(?i)a\" }", "bad_pattern", 2)]
    [InlineData("{ \"type\": \"string\",\n\"pattern\": \"[a-z-[b]]\" }", "bad_pattern", 2)]
    [InlineData("{ \"type\": \"string\",\n\"pattern\": \"[+-\\\\d]\" }", "bad_pattern", 2)]
    [InlineData("{ \"type\": \"string\",\n\"pattern\": \"[]a]\" }", "bad_pattern", 2)]
    [InlineData("{ \"type\": \"string\",\n\"pattern\": \"a\\\\Z\" }", "bad_pattern", 2)]
    [InlineData("{ \"type\": \"string\",\n\"pattern\": \"\\\\ud83d\" }", "bad_pattern", 2)]
    [InlineData("{ \"type\": \"string\",\n\"pattern\": \"[\\\\udc00-\\\\udfff]\" }", "bad_pattern", 2)]
    [InlineData("{ \"type\": \"string\",\n\"pattern\": \"\\\\u{110000}\" }", "bad_pattern", 2)]
    [InlineData("{ \"type\": \"string\",\n\"pattern\": \"[b-a]\" }", "bad_pattern", 2)]
    [InlineData("{ \"type\": \"string\",\n\"pattern\": \"[a\" }", "bad_pattern", 2)]
    [InlineData("{ \"type\": \"string\",\n\"pattern\": \"a\\\\\" }", "bad_pattern", 2)]
    [InlineData("{ \"type\": \"string\",\n\"pattern\": \"\\\\u00\" }", "bad_pattern", 2)]
    public void Bad_schema_does_not_load_and_the_error_names_its_line(string schema, string code, int line)
    {
        var load = ASchema.Bundle(schema).Load();

        var error = Assert.Single(load.Errors);
        Assert.Null(load.Bundle);
        Assert.Equal((code, $"schemas/test.json:{line}"), (error.Code, error.Where));
    }

    [Theory]
    [InlineData("""{"type":"string","enum":["\uD800","a"]}""")]
    [InlineData("""{"const":{"a":["\uD800"]}}""")]
    public void Half_a_surrogate_pair_in_a_value_does_not_load(string schema) =>
        Assert.Equal("bad_json", Assert.Single(ASchema.Bundle(schema).Load().Errors).Code);

    [Fact]
    public void Error_of_an_unknown_keyword_names_the_nearest()
    {
        var error = Assert.Single(ASchema.Bundle("""{ "type": "string", "maxLenght": 5 }""").Load().Errors);

        Assert.Equal("did you mean 'maxLength'?", error.Fix);
    }

    [Fact]
    public void All_errors_of_a_schema_are_listed_at_once() =>
        Assert.Equal(
            ["unknown_keyword@schemas/test.json:1", "bad_value@schemas/test.json:2"],
            ASchema
                .Bundle("{ \"if\": {},\n\"type\": \"strin\" }")
                .Load()
                .Errors.OrderBy(error => error.Where)
                .Select(error => $"{error.Code}@{error.Where}")
        );

    [Fact]
    public void Missing_schema_is_an_error_at_the_topic_that_names_it()
    {
        BundleError error = Assert.Single(
            ASchema.Bundle("{}").AndTopic("schema: tset.json").Load().Errors,
            error => error.Code == "unknown_schema"
        );

        Assert.Equal(("topics.yaml:5", "did you mean 'test.json'?"), (error.Where, error.Fix));
    }

    [Fact]
    public void Unused_schema_does_not_load()
    {
        var error = Assert.Single(ABundle.WithRules().AndFile("schemas/test.json", "{}").Load().Errors);

        Assert.Equal(("unused_schema", "schemas/test.json"), (error.Code, error.Where));
    }

    [Theory]
    [InlineData("schemas/test.JSON")]
    [InlineData("schemas/Test.json")]
    [InlineData("schemas/test.yaml")]
    [InlineData("schemas/more/test.json")]
    public void Schema_with_a_wrong_file_name_does_not_load(string path) =>
        Assert.Equal(
            ("unknown_file", path),
            Assert.Single(ABundle.WithRules().AndFile(path, "{}").Load().Errors) is { } error ? (error.Code, error.Where) : default
        );

    [Fact]
    public void Schema_that_is_too_large_or_not_UTF8_does_not_load()
    {
        Assert.Equal("unreadable", Assert.Single(ASchema.Bundle("{}" + new string(' ', 256 * 1024)).Load().Errors).Code);
        Assert.StartsWith(
            "the file has 262146 bytes; ",
            Assert.Single(ASchema.Bundle("{}" + new string(' ', 256 * 1024)).Load().Errors).Message,
            StringComparison.Ordinal
        );
        Assert.Equal("bad_json", Assert.Single(ASchema.Bundle("""{ "const": 1, "title": "\ud800", "\ud800": 2 }""").Load().Errors).Code);
    }

    [Theory]
    [InlineData("schemas/test.json", "{\n \"type\": \"")]
    [InlineData("rules/a.yaml", "version: v1\n# caf")]
    public void Error_of_an_invalid_byte_has_its_line(string path, string text)
    {
        BundleFile file = new(path, (byte[])[.. Encoding.UTF8.GetBytes(text), 0xe9, .. " \n"u8]);

        var error = Assert.Single(
            Dispatcher
                .Policies.Bundle.Load([
                    .. ABundle
                        .WithRules()
                        .AndTopic("schema: test.json")
                        .AndFile("schemas/test.json", "{}")
                        .Files.Where(other => other.Path != path),
                    file,
                ])
                .Errors
        );

        Assert.Equal(("unreadable", path + ":2"), (error.Code, error.Where));
        Assert.Equal($"byte {Encoding.UTF8.GetByteCount(text)} of the file, 0xE9, is not UTF-8; allowed: UTF-8.", error.Message);
    }

    [Theory]
    [InlineData(
        "{\n\"type\": \"object\",\n}",
        "this is not valid JSON: The JSON object contains a trailing comma at the end, which JSON does not allow (line 3, byte 1)."
    )]
    [InlineData("{\n\"type\": [", "this is not valid JSON: an object or list is not closed (line 2, byte 10).")]
    public void Error_of_invalid_JSON_is_worded_for_users(string schema, string message) =>
        Assert.Equal(message, Assert.Single(ASchema.Bundle(schema).Load().Errors).Message);

    [Fact]
    public void Error_names_true_and_false_where_they_are_allowed_as_a_schema() =>
        Assert.Equal(
            "a schema is \"no\"; allowed: an object, true or false.",
            Assert.Single(ASchema.Bundle("""{ "type": "object", "additionalProperties": "no" }""").Load().Errors).Message
        );

    [Fact]
    public void Schema_is_part_of_the_hash_and_the_archive()
    {
        var bundle = ASchema.Bundle("""{ "type": "object" }""").Build();

        Assert.NotEqual(bundle.Hash, ASchema.Bundle("""{ "type": "array" }""").Build().Hash);
        Assert.Equal(
            "payload_invalid",
            Dispatcher.Policies.Bundle.FromArchive(bundle.Archive).Bundle!.Decide(AJob.ToTest().WithPayload("1").Facts, ABundle.Now).Reason
        );
        Assert.Equal("test.json", bundle.JobClasses["test.run"].Schema);
        Assert.Contains("schemas/test.json", Encoding.UTF8.GetString(bundle.Archive.Span), StringComparison.Ordinal);
    }
}

/// <summary>Builds a bundle that allows every job on <c>test.run</c> whose payload is valid.</summary>
internal static class ASchema
{
    public static ABundle Bundle(string schema) =>
        ABundle
            .WithRules("id: a, match: {topic: test.run}, decision: ALLOW")
            .AndTopic("schema: test.json")
            .AndFile("schemas/test.json", schema);

    public static Decision Decide(string schema, string payload) => Bundle(schema).Decide(AJob.ToTest().WithPayload(payload));
}
