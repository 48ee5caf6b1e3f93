using System.Text;
using Dispatcher.Policies;

namespace Dispatcher.UnitTests.Policies.Files;

/// <summary>
/// A parser and a person must read the same text: characters that an editor or a diff does not show are errors in every file.
/// </summary>
public class InvisibleCharacterTests
{
    private const string Visible = "version: v1\nrules:\n  - id: visible\n    match: { topic: test.run }\n    decision: DENY\n";
    private const string Hidden = "  - { id: hidden, match: { topic: test.run }, decision: ALLOW }\n";

    [Theory]
    [InlineData(0x0085)] // NEL ends a line for YAML 1.1
    [InlineData(0x2028)] // LINE SEPARATOR
    [InlineData(0x2029)] // PARAGRAPH SEPARATOR
    [InlineData(0x000D)] // a lone CR
    [InlineData(0x000B)]
    [InlineData(0x0000)]
    [InlineData(0x001B)]
    [InlineData(0x202E)] // RIGHT-TO-LEFT OVERRIDE
    [InlineData(0x2066)] // LEFT-TO-RIGHT ISOLATE
    [InlineData(0x200B)] // ZERO WIDTH SPACE
    [InlineData(0xFEFF)] // a byte order mark inside the text
    [InlineData(0x00AD)] // SOFT HYPHEN
    [InlineData(0x00A0)] // NO-BREAK SPACE
    [InlineData(0x3000)] // IDEOGRAPHIC SPACE
    [InlineData(0x034F)] // COMBINING GRAPHEME JOINER
    [InlineData(0xFE01)] // a variation selector
    [InlineData(0xE0041)] // a tag character
    [InlineData(0xE0101)] // a variation selector beyond the first 65,536
    [InlineData(0xE000)] // private use
    public void File_with_an_invisible_character_does_not_load(int codePoint)
    {
        var text = $"{Visible}    # 🐲 note{new Rune(codePoint)}{Hidden}";

        var load = ABundle.WithRules().AndFile("rules/test.yaml", text).Load();

        var error = Assert.Single(load.Errors);
        Assert.Null(load.Bundle);
        Assert.Equal(("invisible_character", "rules/test.yaml:6"), (error.Code, error.Where));
        Assert.StartsWith($"column 13 has the invisible character U+{codePoint:X4} (", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("topics.yaml", "version: v1\npools: {main: {}}\n# \u202E\ntopics: {}\n", 3)]
    [InlineData("rules/other.yaml", "version: v1\nrules: [] # \u2028", 2)]
    [InlineData("schemas/test.json", "{\n  \"title\": \"\u202E\" }", 2)]
    public void Every_kind_of_file_is_checked(string path, string text, int line) =>
        Assert.Contains(
            ABundle.WithRules().AndTopic("schema: test.json").AndFile("schemas/test.json", "{}").AndFile(path, text).Load().Errors,
            error => (error.Code, error.Where) == ("invisible_character", $"{path}:{line}")
        );

    [Theory]
    [InlineData("rules/test\u200B.yaml")]
    [InlineData("rules/\u202Elmay.yaml")]
    [InlineData("cases/\uFEFFtest.yaml")]
    public void File_with_an_invisible_character_in_its_name_does_not_load(string path)
    {
        var load = ABundle.WithRules().AndFile(path, path[0] == 'r' ? "version: v1\nrules: []\n" : "version: v1\ncases: []\n").Load();

        Assert.Null(load.Bundle);
        Assert.Equal(("invisible_character", path), (Assert.Single(load.Errors).Code, load.Errors[0].Where));
    }

    [Fact]
    public void Case_file_is_checked()
    {
        const string Cases = "version: v1\ncases:\n  - name: a # \u2028\n    job: { topic: test.run }\n    expect: { verdict: DENY }\n";

        var error = Assert.Single(PolicyTest.Run(ABundle.WithRules().AndFile("cases/a.yaml", Cases).Files, ABundle.Now).Errors);

        Assert.Equal(("invisible_character", "cases/a.yaml:3"), (error.Code, error.Where));
    }

    [Fact]
    public void Each_invisible_character_is_named_up_to_a_limit()
    {
        var text = Visible + string.Concat(Enumerable.Repeat("# \u200B\n", 30));

        Assert.Equal(
            Enumerable.Range(6, 20).Select(line => $"rules/test.yaml:{line}"),
            ABundle.WithRules().AndFile("rules/test.yaml", text).Load().Errors.Select(error => error.Where)
        );
    }

    [Fact]
    public void Other_scripts_CRLF_tabs_a_leading_mark_and_escapes_load()
    {
        var text =
            "\uFEFF"
            + Visible.Replace("\n", "\r\n", StringComparison.Ordinal)
            + "    reason: \"größer\\u2028\\u202e 東京 \\u00a0\"\t# עברית 🐲\r\n";

        Assert.Empty(ABundle.WithRules().AndFile("rules/test.yaml", text).Load().Errors);
    }
}
