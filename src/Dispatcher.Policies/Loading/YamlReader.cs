using System.Text;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Dispatcher.Policies.Loading;

/// <summary>
/// Turns a file into nodes. Takes only YAML that means what it shows: no anchors, aliases or tags, no key twice, one document.
/// It builds on YamlDotNet's events because its object model drops duplicate keys' places and resolves aliases.
/// </summary>
internal sealed class YamlReader
{
    public const int MaxBytes = 1024 * 1024;
    private const int MaxDepth = 32;
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly string _path;
    private readonly ErrorList _errors;
    private readonly Parser _parser;

    private YamlReader(string path, string text, ErrorList errors)
    {
        _path = path;
        _errors = errors;
        _parser = new Parser(new StringReader(text));
    }

    /// <summary>The file's root node. Null: the file as a whole cannot be read, and the error is in the list.</summary>
    public static YamlNode? Read(BundleFile file, ErrorList errors)
    {
        if (Decode(file, errors) is not { } text)
        {
            return null;
        }

        try
        {
            return new YamlReader(file.Path, text, errors).ReadDocument();
        }
#pragma warning disable CA1031 // The parser has thrown other types than its own on hostile text; whatever it throws, the file cannot be read.
        catch (Exception error)
#pragma warning restore CA1031
        {
            // The parser counts a line after the last one.
            long lines = text.AsSpan().Count('\n') + 1;
            string where = error is YamlException yaml ? $"{file.Path}:{Math.Min(yaml.End.Line, lines)}" : file.Path;
            errors.Add(
                where, BundleErrorCodes.BadYaml,
                $"this is no YAML: {error.Message}",
                "check indentation, colons and quotes on this line and the one before.");
            return null;
        }
    }

    private static string? Decode(BundleFile file, ErrorList errors)
    {
        if (file.Content.Length > MaxBytes)
        {
            errors.Add(file.Path, BundleErrorCodes.Unreadable, $"the file has {file.Content.Length} bytes; allowed: {MaxBytes}.", "split it.");
            return null;
        }

        try
        {
            return StrictUtf8.GetString(file.Content.Span).TrimStart('\uFEFF');
        }
        catch (DecoderFallbackException error)
        {
            errors.Add(file.Path, BundleErrorCodes.Unreadable, $"byte {error.Index} is not UTF-8; allowed: UTF-8.", "save the file as UTF-8.");
            return null;
        }
    }

    private YamlNode? ReadDocument()
    {
        _parser.Consume<StreamStart>();
        if (!_parser.TryConsume<DocumentStart>(out _))
        {
            _errors.Add(
                _path + ":1", BundleErrorCodes.Empty,
                "the file has no content; allowed: a mapping that starts with version: v1.",
                "fill it or delete it.");
            return null;
        }

        YamlNode root = ReadNode(depth: 0);
        _parser.Consume<DocumentEnd>();
        if (_parser.Accept<DocumentStart>(out DocumentStart? second))
        {
            _errors.Add(
                At(second), BundleErrorCodes.BadYaml,
                "a second document starts here; allowed: one per file.",
                "put it into a file of its own.");
        }

        return root;
    }

    private YamlNode ReadNode(int depth)
    {
        if (depth > MaxDepth)
        {
            throw new YamlException(_parser.Current!.Start, _parser.Current.End, $"nested deeper than {MaxDepth} levels.");
        }

        int before = _errors.Count;
        ParsingEvent here = _parser.Consume<ParsingEvent>();
        if (here is AnchorAlias alias)
        {
            return Refuse(here, $"alias '*{alias.Value}'");
        }

        YamlNode node = here switch
        {
            Scalar scalar => new YamlNode(NodeKind.Text, At(here)) { Text = scalar.Value, IsPlain = scalar.Style == ScalarStyle.Plain },
            SequenceStart => new YamlNode(NodeKind.List, At(here)) { Items = ReadItems(depth + 1) },
            MappingStart => new YamlNode(NodeKind.Map, At(here)) { Entries = ReadEntries(depth + 1) },
            _ => throw new YamlException(here.Start, here.End, $"unexpected {here.GetType().Name}."),
        };

        return here switch
        {
            NodeEvent { Anchor.IsEmpty: false } anchored => Refuse(here, $"anchor '&{anchored.Anchor.Value}'"),
            NodeEvent { Tag.IsEmpty: false } tagged => Refuse(here, $"tag '{tagged.Tag.Value}'"),
            _ => node with { IsWhole = _errors.Count == before },
        };
    }

    private List<YamlNode> ReadItems(int depth)
    {
        List<YamlNode> items = [];
        while (!_parser.TryConsume<SequenceEnd>(out _))
        {
            items.Add(ReadNode(depth));
        }

        return items;
    }

    private List<YamlEntry> ReadEntries(int depth)
    {
        List<YamlEntry> entries = [];
        Dictionary<string, string> seen = new(StringComparer.Ordinal);
        while (!_parser.TryConsume<MappingEnd>(out _))
        {
            YamlNode key = ReadNode(depth);
            YamlNode value = ReadNode(depth);
            if (IsGoodKey(key, seen))
            {
                entries.Add(new YamlEntry(key, value));
            }
        }

        return entries;
    }

    private bool IsGoodKey(YamlNode key, Dictionary<string, string> seen)
    {
        if (Scalars.Text(key, "a key", _errors) is null)
        {
            return false;
        }

        if (!seen.TryAdd(key.Text, key.Where))
        {
            _errors.Add(
                key, BundleErrorCodes.DuplicateKey,
                $"key '{key.Text}' is already at {seen[key.Text]}; allowed: each key once.",
                "merge the two or remove one.");
            return false;
        }

        return true;
    }

    private YamlNode Refuse(ParsingEvent here, string what)
    {
        _errors.Add(
            At(here), BundleErrorCodes.NotPlainYaml,
            $"{what}; allowed: plain YAML without anchors, aliases and tags.",
            "write the value out, quoted if it starts with *, & or !.");
        return new YamlNode(NodeKind.Broken, At(here));
    }

    private string At(ParsingEvent here) => $"{_path}:{here.Start.Line}";
}
