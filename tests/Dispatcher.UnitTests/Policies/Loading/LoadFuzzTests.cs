using System.Text;
using System.Text.RegularExpressions;
using Dispatcher.Policies;
using Dispatcher.Policies.Files;

namespace Dispatcher.UnitTests.Policies.Loading;

/// <summary>
/// Loading answers any content of the folder with a bundle or with errors. The seeds are fixed; a failure prints the changed file.
/// </summary>
public sealed partial class LoadFuzzTests
{
    private static readonly string[] Values =
    [
        "999999999h",
        "300000000h",
        "999999999ms",
        "0s",
        "-1s",
        "1h1m",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775809",
        "1e999",
        "0x7fffffff",
        "99999999999999999999999999999999",
        "9999-12-31T23:59:59.9999999Z",
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00+14:00",
        "0000-00-00",
        "9999-12-31",
        "null",
        "~",
        "true",
        "",
        "\"\"",
        "\"\\uD800\"",
        "\"\\uDC00\\u0000\"",
        "'",
        "[]",
        "{}",
        "[[[[]]]]",
        "{a: {a: {a: {}}}}",
        "&a x",
        "*a",
        "!!binary x",
        "? x",
        "- -",
        "<<",
        "---",
        "...",
        "|\n",
        ">\n",
        "#",
        "\t",
        "\0",
        "\u2028",
        "😀",
        "**",
        "*",
        "a.**.b",
        "/~2",
        "../x.json",
        "v1",
        "#/$defs/text",
        "(",
        "(a{9999999999}){9999999999}",
        "[",
        "\\ud800",
        "1.5e-400",
        "1e2147483648",
        "2147483648",
        "{2147483647}",
        "\u0085",
    ];

    private static readonly ABundle Whole = ABundle.WithFiles(
        (
            "topics.yaml",
            """
            version: v1
            pools:
              main: { enforcers: [allowed_hosts, timeout_ms] }
            topics:
              test.run:
                pool: main
                owner: team
                risk: high
                idempotent: true
                schema: test.json
                timeouts: { start: 60s, run: 2m, heartbeat: 10s, overall: 3h }
                backoff: { first: 10ms, most: 1m }
                faults: { transient: [http:409, busy_*], terminal: [exit:1] }
                max_attempts: 3
                tags: { always: [slow], optional: [pii] }
                labels:
                  env: { values: [dev], required: true, absent: unknown }
                  class: { source: payload, derive: { path: /command, default: other, table: [{ exact: [ls], value: look },
                      { prefix: [rm], value: change }] } }
            """
        ),
        (
            "rules/test.yaml",
            """
            version: v1
            rules:
              - id: a
                description: all of it
                owners: [team]
                guardrail: false
                review_by: 2026-12-01
                effective: { from: 2026-01-01T00:00:00Z, until: 2027-01-01T00:00:00Z }
                match: { topic: test.*, labels: { env: { not: prod }, class: [look, change], team: { exists: false } },
                    risk_tags: { any: [slow] }, principal: billing, workflow_id: w, attempt_gte: 1, unless: { topic: test.walk } }
                decision: REQUIRE_APPROVAL
                reason: why
                constraints: { allowed_hosts: [a.org], timeout_ms: 5 }
                approval: { groups: { sre: 1 }, exclude: [requester], decide_within: 1h, use_within: 30m }
            """
        ),
        (
            "cases/test.yaml",
            """
            version: v1
            cases:
              - name: one
                at: 2026-04-01T12:00:00Z
                job: { topic: test.run, principal: billing, workflow_id: w, attempt: 1, labels: { env: dev }, risk_tags: [pii],
                    payload: { command: ls, num: 1.5e3, list: [true, null] } }
                expect: { verdict: REQUIRE_APPROVAL, rules: [a], reason: why, constraints: { timeout_ms: 5, allowed_hosts: [a.org] },
                    approval: { decide_within: 1h } }
            """
        ),
        (
            "schemas/test.json",
            """
            { "type": "object", "minProperties": 0, "maxProperties": 9, "required": [ "command" ], "additionalProperties": true,
                "patternProperties": { "^n": { "type": "number", "exclusiveMinimum": -1e9, "maximum": 1e9 } },
              "properties": { "command": { "type": "string", "pattern": "^[a-z]{1,9}$", "minLength": 1, "maxLength": 9, "enum": [ "ls",
                  "rm" ] }, "list": { "$ref": "#/$defs/list" } },
              "$defs": { "list": { "type": "array", "minItems": 0, "maxItems": 9, "uniqueItems": true,
                  "items": { "anyOf": [ { "const": true }, { "not": { "type": "string" } } ] } } } }
            """
        )
    );

    private static readonly IReadOnlyList<BundleFile> Shipped = BundleFolder.Read(Path.Combine(Repository.Root, "policies"));

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void No_change_of_the_shipped_files_throws(int seed)
    {
        Random random = new(seed);
        var loaded = 0;
        for (var i = 0; i < 150; i++)
        {
            var chosen = random.Next(Shipped.Count);
            var changed = Shipped[chosen] with { Content = Changed(Shipped[chosen].Content.ToArray(), random) };
            var load = Answered([.. Shipped.Select((file, n) => n == chosen ? changed : file)], changed, random);
            loaded += load.Bundle is null ? 0 : 1;
        }

        Assert.InRange(loaded, 1, 149);
    }

    /// <summary>Replaces every scalar of files with every key by each extreme value.</summary>
    [Fact]
    public void No_extreme_value_anywhere_throws()
    {
        Random random = new(4);
        foreach (var file in Whole.Files)
        {
            var text = Encoding.UTF8.GetString(file.Content.Span);
            foreach (Match scalar in Scalar().Matches(text))
            {
                foreach (var value in Values)
                {
                    var changed = file with
                    {
                        Content = Encoding.UTF8.GetBytes(text[..scalar.Index] + value + text[(scalar.Index + scalar.Length)..]),
                    };
                    Answered([.. Whole.Files.Select(one => one.Path == file.Path ? changed : one)], changed, random);
                }
            }
        }
    }

    [Fact]
    public void Files_with_every_key_have_no_errors() => Assert.Empty(PolicyTest.Run(Whole.Files, ABundle.Now).Errors);

    private static BundleLoadResult Answered(IReadOnlyList<BundleFile> files, BundleFile changed, Random random)
    {
        try
        {
            var load = Bundle.Load(files);
            Assert.True((load.Bundle is null) == (load.Errors.Count > 0));
            Assert.DoesNotContain(load.Errors, error => error.Code == "load_failed");

            // Both also read the cases, and cost more than a load.
            if (random.Next(changed.Path.StartsWith("cases/", StringComparison.Ordinal) ? 3 : 20) == 0)
            {
                Assert.NotNull(BundleLint.Check(files, ABundle.Now));
                Assert.NotNull(PolicyTest.Run(files, ABundle.Now));
            }

            return load;
        }
        catch (Exception error)
        {
            Assert.Fail($"{error}\n{changed.Path}:\n{Encoding.UTF8.GetString(changed.Content.Span)}");
            throw;
        }
    }

    private static byte[] Changed(byte[] content, Random random)
    {
        List<byte> bytes = [.. content];
        for (var changes = random.Next(1, 4); changes > 0 && bytes.Count > 0; changes--)
        {
            var at = random.Next(bytes.Count);
            var length = Math.Min(random.Next(1, 20), bytes.Count - at);
            switch (random.Next(6))
            {
                case 0:
                    bytes.RemoveRange(at, length);
                    break;
                case 1:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 2:
                    bytes.InsertRange(at, bytes.GetRange(at, length));
                    break;
                case 3:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
                default:
                    Replace(bytes, at, Values[random.Next(Values.Length)]);
                    break;
            }
        }

        return [.. bytes];
    }

    /// <summary>Replaces a word with a value.</summary>
    private static void Replace(List<byte> bytes, int at, string value)
    {
        var from = at;
        while (from > 0 && !Ends(bytes[from - 1]))
        {
            from--;
        }

        var to = at;
        while (to < bytes.Count && !Ends(bytes[to]))
        {
            to++;
        }

        bytes.RemoveRange(from, to - from);
        bytes.InsertRange(from, Encoding.UTF8.GetBytes(value));
    }

    private static bool Ends(byte letter) =>
        letter is (byte)' ' or (byte)',' or (byte)'\n' or (byte)'"' or (byte)'[' or (byte)']' or (byte)'{' or (byte)'}';

    [GeneratedRegex(@"(?<=[:\[,] )\s*[^\s,{}\[\]][^,{}\[\]\n]*|(?<=\[)[^\s,{}\[\]][^,{}\[\]\n]*")]
    private static partial Regex Scalar();
}
