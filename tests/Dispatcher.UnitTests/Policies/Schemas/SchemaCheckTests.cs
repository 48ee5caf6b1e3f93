using System.Diagnostics;
using Dispatcher.Contracts;

namespace Dispatcher.UnitTests.Policies.Schemas;

public class SchemaCheckTests
{
    private const string Tree =
        """{ "$ref": "#/$defs/t", "$defs": { "t": { "type": "object", "properties": { "a": { "$ref": "#/$defs/t" } },"""
        + """ "additionalProperties": false } } }""";

    [Theory]
    [InlineData("{}", "1", null)]
    [InlineData("""{"type":"string"}""", "\"a\"", "1")]
    [InlineData("""{"type":"string"}""", "\"2020-01-01T00:00:00Z\"", "null")]
    [InlineData("""{"type":"integer"}""", "1", "1.5")]
    [InlineData("""{"type":"integer"}""", "1.0", "\"1\"")]
    [InlineData("""{"type":"integer"}""", "1e400", "1e-1")]
    [InlineData("""{"type":"number"}""", "-1.5e3", "true")]
    [InlineData("""{"type":"boolean"}""", "false", "0")]
    [InlineData("""{"type":"null"}""", "null", "{}")]
    [InlineData("""{"type":"array"}""", "[]", "{}")]
    [InlineData("""{"type":"object"}""", "{}", "[]")]
    [InlineData("""{"type":["string","null"]}""", "null", "1")]
    [InlineData("""{"enum":["1",true]}""", "\"1\"", "1")]
    [InlineData("""{"enum":["1",true]}""", "true", "\"True\"")]
    [InlineData("""{"enum":[""]}""", "\"\"", "null")]
    [InlineData("""{"const":1}""", "1.0", "2")]
    [InlineData("""{"const":{"a":[1],"b":2}}""", """{"b":2,"a":[1]}""", """{"b":2,"a":[2]}""")]
    [InlineData("""{"type":"string","minLength":2}""", "\"ab\"", "\"😀\"")]
    [InlineData("""{"type":"string","maxLength":1}""", "\"😀\"", "\"ab\"")]
    [InlineData("""{"type":"string","pattern":"b"}""", "\"abc\"", "\"ac\"")]
    [InlineData("""{"type":"string","pattern":"^[a-z]+$"}""", "\"abc\"", "\"abc\\n\"")]
    [InlineData("""{"type":"string","pattern":"^\\d+$"}""", "\"12\"", "\"١٢\"")]
    [InlineData("""{"type":"string","pattern":"^[\\w.-]+$"}""", "\"a_.-\"", "\"é\"")]
    [InlineData("""{"type":"string","pattern":"^\\S+\\s\\$$"}""", "\"a $\"", "\"a$\"")]
    [InlineData("""{"type":"string","pattern":"^.$"}""", "\"a\"", "\"\\r\"")]
    [InlineData("""{"type":"string","pattern":"^(?:a|b){2}$"}""", "\"ab\"", "\"abc\"")]
    [InlineData("""{"type":"string","pattern":"^.$"}""", "\"🐲\"", "\"🐲🐲\"")]
    [InlineData("""{"type":"string","pattern":"^.{2,3}$"}""", "\"🐲🐲🐲\"", "\"🐲\"")]
    [InlineData("""{"type":"string","pattern":"^[^a]$"}""", "\"🐲\"", "\"a\"")]
    [InlineData("""{"type":"string","pattern":"^[^🐲]$"}""", "\"🐳\"", "\"🐲\"")]
    [InlineData("""{"type":"string","pattern":"^🐲+$"}""", "\"🐲🐲\"", "\"🐳\"")]
    [InlineData("""{"type":"string","pattern":"^[a🐲]{2}$"}""", "\"🐲a\"", "\"🐳a\"")]
    [InlineData("""{"type":"string","pattern":"^[🐀-🐾]$"}""", "\"🐲\"", "\"🐿\"")]
    [InlineData("""{"type":"string","pattern":"^[\\uff00-\\u{1f432}]$"}""", "\"🐲\"", "\"🐳\"")]
    [InlineData("""{"type":"string","pattern":"^\\ud83d\\udc32?$"}""", "\"\"", "\"🐳\"")]
    [InlineData("""{"type":"string","pattern":"^\\W\\D\\S$"}""", "\"🐲🐲🐲\"", "\"🐲🐲\"")]
    [InlineData("""{"type":"string","pattern":"^[\\D]$"}""", "\"🐲\"", "\"1\"")]
    [InlineData("""{"type":"string","pattern":"^[^\\W]$"}""", "\"a\"", "\"🐲\"")]
    [InlineData("""{"type":"string","pattern":"^[\\s\\S]$"}""", "\"🐲\"", "\"\"")]
    [InlineData("""{"type":"string","pattern":"^\\u{41}{2}$"}""", "\"AA\"", "\"A{2}\"")]
    [InlineData("""{"type":"number","minimum":5}""", "5", "4.999999999999999999999")]
    [InlineData("""{"type":"number","maximum":5}""", "5.0", "5.000000000000000000001")]
    [InlineData("""{"type":"integer","maximum":9007199254740992}""", "9007199254740992", "9007199254740993")]
    [InlineData("""{"type":"integer","maximum":5}""", "-12345678901234567890", "12345678901234567890")]
    [InlineData("""{"type":"number","maximum":5}""", "-1e99999999999999999999", "1e99999999999999999999")]
    [InlineData("""{"type":"number","minimum":0}""", "-0.0", "-1e-400")]
    [InlineData("""{"type":"number","exclusiveMinimum":5}""", "5.1", "5")]
    [InlineData("""{"type":"number","exclusiveMaximum":-5}""", "-5.1", "-5")]
    [InlineData("""{"type":"array","minItems":1}""", "[1]", "[]")]
    [InlineData("""{"type":"array","maxItems":1}""", "[1]", "[1,2]")]
    [InlineData("""{"type":"array","items":{"type":"string"}}""", """["a"]""", """["a",1]""")]
    [InlineData("""{"type":"array","maxItems":9,"uniqueItems":true}""", """[1,"1",{"a":1}]""", "[1,1.0]")]
    [InlineData("""{"type":"object","minProperties":1}""", """{"a":1}""", "{}")]
    [InlineData("""{"type":"object","maxProperties":1}""", """{"a":1}""", """{"a":1,"b":1}""")]
    [InlineData("""{"type":"object","required":["a"]}""", """{"a":null}""", """{"A":1}""")]
    [InlineData("""{"type":"object","properties":{"a":{"type":"string"}}}""", """{"b":1}""", """{"a":1}""")]
    [InlineData("""{"type":"object","properties":{"a":true},"additionalProperties":false}""", """{"a":1}""", """{"a":1,"A":1}""")]
    [InlineData("""{"type":"object","additionalProperties":{"type":"string"}}""", """{"a":"b"}""", """{"a":1}""")]
    [InlineData(
        """{"type":"object","patternProperties":{"^x":{"type":"string"}},"additionalProperties":false}""",
        """{"xa":"b"}""",
        """{"xa":1}"""
    )]
    [InlineData("""{"type":"object","patternProperties":{"^x":true},"additionalProperties":false}""", """{"xa":1}""", """{"ya":1}""")]
    [InlineData("""{"type":"object","properties":{"a":false}}""", "{}", """{"a":1}""")]
    [InlineData("""{"allOf":[{"type":"string"},{"type":"string","minLength":2}]}""", "\"ab\"", "\"a\"")]
    [InlineData("""{"anyOf":[{"type":"string"},{"type":"null"}]}""", "null", "1")]
    [InlineData("""{"oneOf":[{"type":"number"},{"type":"integer"}]}""", "1.5", "1")]
    [InlineData("""{"oneOf":[{"type":"number"},{"type":"null"}]}""", "null", "\"\"")]
    [InlineData("""{"not":{"type":"string"}}""", "1", "\"a\"")]
    [InlineData("""{"$ref":"#/$defs/x","$defs":{"x":{"type":"string"}}}""", "\"a\"", "1")]
    [InlineData("""{"$ref":"#/$defs/x","type":"string","maxLength":1,"$defs":{"x":{"type":"string"}}}""", "\"a\"", "\"abc\"")]
    [InlineData(Tree, """{"a":{"a":{}}}""", """{"a":{"a":{"b":1}}}""")]
    public void Keyword_accepts_valid_values_and_refuses_others(string schema, string fitting, string? other)
    {
        Assert.Equal(Verdict.Allow, ASchema.Decide(schema, fitting).Verdict);
        if (other is not null)
        {
            var denied = ASchema.Decide(schema, other);
            Assert.Equal((Verdict.Deny, "payload_invalid"), (denied.Verdict, denied.Reason));
            Assert.NotEmpty(denied.PayloadErrors);
        }
    }

    [Fact]
    public void Error_has_path_and_allowed_values_but_not_the_sent_text()
    {
        const string Schema =
            """{"type":"object","required":["need"],"additionalProperties":false,"properties":{"need":{},"a/b":"""
            + """{"type":"object","properties":{"c~d":{"type":"array","items":{"type":"integer"}}}}}}""";

        var decision = ASchema.Decide(Schema, """{"a/b":{"c~d":[1,"secret"]},"ned":1}""");

        Assert.Equal(
            [
                "/a~1b/c~0d/1: seen: a text of 6 character(s); allowed: a whole number. Fix: send a whole number.",
                "/ned: seen: a member that is not known; allowed: a/b, need. Fix: did you mean 'need'?",
                "/need: seen: nothing; allowed: a value, because it is required. Fix: add 'need'.",
            ],
            decision.PayloadErrors.Select(error => error.ToString())
        );
        Assert.StartsWith("/a~1b/c~0d/1: seen: ", decision.Detail, StringComparison.Ordinal);
        Assert.Equal(64, decision.BasisHash.Length);
        Assert.NotNull(decision.JobClass);
    }

    [Fact]
    public void List_of_errors_ends_after_twenty_with_a_note()
    {
        var errors = ASchema
            .Decide("""{"type":"array","items":{"type":"string"}}""", $"[{string.Join(',', Enumerable.Repeat(1, 21))}]")
            .PayloadErrors;

        Assert.Equal(21, errors.Count);
        Assert.Equal("/0", errors[0].Path);
        Assert.Contains("more errors than the 20 listed", errors[20].Message, StringComparison.Ordinal);
        Assert.Equal(
            20,
            ASchema
                .Decide("""{"type":"array","items":{"type":"string"}}""", $"[{string.Join(',', Enumerable.Repeat(1, 20))}]")
                .PayloadErrors.Count
        );
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("{} {}")]
    [InlineData("{/*x*/}")]
    [InlineData("{'a':1}")]
    [InlineData("""{"a":1,"a":2}""")]
    [InlineData("""{"a":"\ud800"}""")]
    [InlineData("""{"\ud800":1,"b":2}""")]
    public void Denies_a_payload_that_is_not_one_plain_JSON_value(string payload) =>
        Assert.Equal(
            Verdict.Deny,
            ASchema.Decide("""{"type":"object","additionalProperties":{"type":["integer","string"],"maxLength":9}}""", payload).Verdict
        );

    [Fact]
    public void Payload_cannot_make_the_check_slow()
    {
        const string Doubling =
            """{"$ref":"#/$defs/t","$defs":{"t":{"anyOf":[{"type":"object","properties":{"a":{"$ref":"#/$defs/t"}},"required":"""
            + """["x"]},{"type":"object","properties":{"a":{"$ref":"#/$defs/t"}},"required":["y"]}]}}}""";
        var deep = string.Concat(Enumerable.Repeat("{\"x\":1,\"y\":1,\"a\":", 60)) + "1" + new string('}', 60);
        var backtracking = "\"" + new string('a', 200_000) + "!\"";
        var watch = Stopwatch.StartNew();

        var doubled = ASchema.Decide(Doubling, deep);
        var searched = ASchema.Decide("""{"type":"string","pattern":"^(a+)+$"}""", backtracking);
        var counted = ASchema.Decide("""{"type":"number","maximum":5}""", new string('9', 200_000) + "e" + new string('9', 50_000));

        Assert.All([doubled, searched, counted], decision => Assert.Equal("payload_invalid", decision.Reason));
        Assert.Contains("steps", Assert.Single(doubled.PayloadErrors).Message, StringComparison.Ordinal);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(15), $"took {watch.Elapsed}");
    }

    [Fact]
    public void Topic_without_a_schema_accepts_every_payload() =>
        Assert.Equal(
            Verdict.Allow,
            ABundle.WithRules("id: a, match: {topic: test.run}, decision: ALLOW").Decide(AJob.ToTest().WithPayload("no json")).Verdict
        );

    [Fact]
    public void Many_threads_share_one_schema()
    {
        var bundle = ASchema
            .Bundle(
                """{"type":"object","properties":{"n":{"type":"string","pattern":"^[a-f]+$"}},"required":["n"],"anyOf":["""
                    + """{"type":"object","required":["n"]}]}"""
            )
            .Build();
        var wrong = 0;

        Thread[] threads =
        [
            .. Enumerable
                .Range(0, 8)
                .Select(_ => new Thread(() =>
                {
                    for (var i = 0; i < 2_000; i++)
                    {
                        var fits = i % 2 == 0;
                        var decision = bundle.Decide(
                            AJob.ToTest().WithPayload(fits ? """{"n":"abc"}""" : """{"n":"xyz"}""").Facts,
                            ABundle.Now
                        );
                        Interlocked.Add(ref wrong, (decision.Verdict == Verdict.Allow) == fits ? 0 : 1);
                    }
                })),
        ];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());

        Assert.Equal(0, wrong);
    }
}
