using System.Diagnostics;
using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.Policies.Model;

namespace Dispatcher.UnitTests.Policies.Schemas;

/// <summary>
/// The cost of checking a payload is bounded for every schema and payload: the same on every machine, and about a second at most.
/// </summary>
public class SchemaLimitTests
{
    /// <summary>The worst cases take about a second on an idle machine; busy machines get more time.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private static readonly string Long = JsonSerializer.Serialize(new string('a', 200_000));

    [Fact]
    public void Nested_schemas_cannot_overflow_the_stack()
    {
        // Each definition nests "not" 56 times around the next: 25,000 schemas for one value.
        string Definition(int i) =>
            string.Concat(Enumerable.Repeat("{\"not\":", 56)) + $"{{\"$ref\":\"#/$defs/d{i + 1}\"}}" + new string('}', 56);
        var definitions = string.Join(
            ',',
            Enumerable.Range(0, 450).Select(i => $"\"d{i}\":{Definition(i)}").Append("\"d450\":{\"type\":\"string\"}")
        );
        var bundle = ASchema.Bundle($"{{\"$ref\":\"#/$defs/d0\",\"$defs\":{{{definitions}}}}}").Build();
        Decision? decision = null;

        // The smallest stack on which decisions are made.
        Thread thread = new(() => decision = bundle.Decide(AJob.ToTest().WithPayload("1").Facts, ABundle.Now), maxStackSize: 256 * 1024);
        thread.Start();
        thread.Join();

        Assert.Equal("payload_invalid", decision!.Reason);
        Assert.Contains("to check", Assert.Single(decision.PayloadErrors).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Payload_of_maximum_depth_is_checked()
    {
        const string Tree =
            """{"$ref":"#/$defs/t","$defs":{"t":{"allOf":[{"anyOf":[{"$ref":"#/$defs/u"},{"type":"null"}]}]},"u":"""
            + """{"type":"object","additionalProperties":{"$ref":"#/$defs/t"}}}}""";
        var deep = string.Concat(Enumerable.Repeat("{\"a\":", 62)) + "null" + new string('}', 62);

        Assert.Equal(Verdict.Allow, ASchema.Decide(Tree, deep).Verdict);
        Assert.Equal("payload_invalid", ASchema.Decide(Tree, deep.Replace("null", "1", StringComparison.Ordinal)).Reason);
    }

    /// <summary>Nested alternatives, with a long text and one costly test at the bottom.</summary>
    [Theory]
    [InlineData("{\"type\":\"string\",\"pattern\":\"b$\"}")]
    [InlineData("{\"type\":\"string\",\"pattern\":\"a[ab]{200}b\"}")]
    [InlineData("{\"type\":\"string\",\"maxLength\":5}")]
    [InlineData("{\"type\":\"string\",\"minLength\":500000}")]
    [InlineData("{\"enum\":[OTHER]}")]
    [InlineData("{\"const\":OTHER}")]
    [InlineData("{\"type\":\"array\",\"maxItems\":256,\"uniqueItems\":true}", "[LONG]")]
    [InlineData("{\"type\":\"number\",\"maximum\":5}", "NUMBER")]
    [InlineData("{\"type\":\"integer\"}", "NUMBER")]
    [InlineData("{\"type\":\"object\",\"required\":[\"x\",\"y\",\"z\"]}", "MEMBERS")]
    [InlineData("{\"type\":\"object\",\"patternProperties\":{\"b$\":true},\"additionalProperties\":false}", "{LONG:1}")]
    public void Check_of_a_long_value_under_many_alternatives_is_bounded(string leaf, string value = "LONG")
    {
        string Alternative(string name) =>
            "{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#/$defs/t\"}},\"required\":[\"" + name + "\"]}";
        var last = leaf.Replace("OTHER", Long.Replace("aa\"", "ab\"", StringComparison.Ordinal), StringComparison.Ordinal);
        var schema =
            "{\"$ref\":\"#/$defs/t\",\"$defs\":{\"t\":{\"anyOf\":[" + string.Join(',', Alternative("x"), Alternative("y"), last) + "]}}}";
        var bottom = value
            .Replace("NUMBER", "0." + new string('1', 200_000), StringComparison.Ordinal)
            .Replace(
                "MEMBERS",
                "{" + string.Join(',', Enumerable.Range(0, 20_000).Select(i => $"\"m{i}\":1")) + "}",
                StringComparison.Ordinal
            )
            .Replace("LONG", Long, StringComparison.Ordinal);
        var payload = string.Concat(Enumerable.Repeat("{\"a\":", 20)) + bottom + new string('}', 20);
        var bundle = ASchema.Bundle(schema).Build();
        var watch = Stopwatch.StartNew();

        var decision = bundle.Decide(AJob.ToTest().WithPayload(payload).Facts, ABundle.Now);

        Assert.True(watch.Elapsed < Patience, $"took {watch.Elapsed}");
        Assert.Equal("payload_invalid", decision.Reason);
    }

    [Theory]
    [InlineData("(a{100}){100}")]
    [InlineData("((((a{9}){9}){9}){9}){9}")]
    [InlineData("a{0,2000}")]
    [InlineData("(?:[a-z]|b{40}){40,}")]
    [InlineData("a{2147483647}")]
    [InlineData("(a{99999}|b){99999}")]
    [InlineData("[🐀🐂🐄🐆🐈🐊🐌🐎]{200}")]
    public void Pattern_with_too_many_repetitions_does_not_load(string pattern)
    {
        var error = Assert.Single(ASchema.Bundle($$"""{"type":"string","pattern":"{{pattern}}"}""").Load().Errors);

        Assert.Equal("bad_pattern", error.Code);
    }

    [Theory]
    [InlineData("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\\\\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?){0,7}$", "a.example.org")]
    [InlineData("^[^\\\\u0000]{1,255}$", "any text")]
    [InlineData("^x{$", "x{")]
    [InlineData("^[{2000}]+$", "{2}")]
    [InlineData("^a\\\\{2000}$", "a{2000}")]
    public void Pattern_of_a_sensible_size_loads(string pattern, string text) =>
        Assert.Equal(
            Verdict.Allow,
            ASchema.Decide($$"""{"type":"string","pattern":"{{pattern}}"}""", JsonSerializer.Serialize(text)).Verdict
        );

    [Fact]
    public void Large_ordinary_payload_is_checked_completely()
    {
        const string Hosts =
            """{"type":"array","items":{"type":"string","maxLength":253,"pattern":"^[a-z0-9]([a-z0-9-]{0,"""
            + """61}[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$"}}""";
        var hosts = JsonSerializer.Serialize(Enumerable.Range(0, 10_000).Select(i => $"host-{i}.example.org"));
        var numbers = JsonSerializer.Serialize(Enumerable.Range(0, 50_000));

        Assert.Equal(Verdict.Allow, ASchema.Decide(Hosts, hosts).Verdict);
        Assert.Equal(
            Verdict.Allow,
            ASchema.Decide("""{"type":"array","items":{"type":"integer","minimum":0,"maximum":99999}}""", numbers).Verdict
        );
        Assert.Equal(
            Verdict.Allow,
            ASchema.Decide("""{"type":"string","minLength":1,"maxLength":262144,"pattern":"^[^\\u0000]*$"}""", Long).Verdict
        );
    }
}
