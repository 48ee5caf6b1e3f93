using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Dispatcher.Policies.Files;

/// <summary>The readable part of a file.</summary>
/// <param name="Root">Null: nothing could be read, and the list has the error.</param>
/// <param name="Skipped">The text that could not be read. It may contain anything. Empty: everything was read.</param>
internal sealed record YamlFile(YamlNode? Root, string Skipped);

/// <summary>
/// Parses a file into nodes. Accepts only plain YAML whose meaning is visible: no anchors, aliases or tags, no duplicate keys, one
/// document. It uses the events of YamlDotNet, because its object model loses the places of duplicate keys and resolves aliases.
/// </summary>
internal sealed class YamlReader
{
    public const int MaxBytes = 1024 * 1024;
    private const int MaxDepth = 32;

    // The depth of a rule, topic or case: the file is 0, its list 1.
    private const int ItemDepth = 2;

    // More broken items usually repeat one mistake.
    private const int MaxBrokenItems = 20;

    private readonly string _path;
    private readonly ErrorList _errors;
    private readonly BracketParser _parser;
    private readonly List<string> _skipped = [];
    private readonly bool _isCut;
    private BrokenItem? _item;

    /// <param name="path">The path of the file.</param>
    /// <param name="text">The text to parse.</param>
    /// <param name="isCut">Whether a broken item was removed from the text.</param>
    /// <param name="errors">Collects the errors.</param>
    private YamlReader(string path, string text, bool isCut, ErrorList errors)
    {
        _path = path;
        _isCut = isCut;
        _errors = errors;
        _parser = new BracketParser(text);
    }

    /// <summary>Reads a file. A rule, topic or case with a syntax error is reported and skipped, and the text after it is read.</summary>
    public static YamlFile Read(BundleFile file, ErrorList errors)
    {
        if (FileText.Of(file, MaxBytes, errors) is not { } text)
        {
            return new YamlFile(null, "**");
        }

        List<string> skipped = [];
        for (var left = MaxBrokenItems; ; left--)
        {
            ErrorList found = new();
            YamlReader reader = new(file.Path, text, skipped.Count > 0, found);
            try
            {
                var root = reader.ReadDocument();
                errors.AddAll(found);
                return new YamlFile(root, string.Join('\n', skipped.Concat(reader._skipped)));
            }
#pragma warning disable CA1031 // The parser has thrown other types than its own on hostile text; after any of them the file cannot be read.
            catch (Exception error)
#pragma warning restore CA1031
            {
                var fault = reader._parser.Explain(error);
                errors.Add(
                    $"{file.Path}:{fault.Line}",
                    BundleErrorCodes.BadYaml,
                    $"this is not valid YAML: {fault.Reason}",
                    "check indentation, colons, quotes and brackets on this line and the one before."
                );
                if (left == 0 || reader._item?.Blank(text, fault.Line) is not { } blanked)
                {
                    return new YamlFile(null, string.Join('\n', skipped.Append(text)));
                }

                skipped.Add(blanked.Removed);
                text = blanked.Text;
            }
        }
    }

    private YamlNode? ReadDocument()
    {
        _parser.Consume<StreamStart>();
        if (!_parser.TryConsume<DocumentStart>(out _))
        {
            _errors.Add(
                _path + ":1",
                BundleErrorCodes.Empty,
                "the file has no content; allowed: a mapping that starts with version: v1.",
                "fill it or delete it."
            );
            return null;
        }

        var root = ReadNode(depth: 0);
        _parser.Consume<DocumentEnd>();
        if (_parser.Accept<DocumentStart>(out var second))
        {
            _errors.Add(
                At(second),
                BundleErrorCodes.BadYaml,
                "a second document starts here; allowed: one per file.",
                "move it to another file."
            );
        }

        return root;
    }

    private YamlNode ReadNode(int depth, bool isItem = false)
    {
        if (depth > MaxDepth)
        {
            throw new YamlException(_parser.Current!.Start, _parser.Current.End, $"nested deeper than {MaxDepth} levels.");
        }

        var here = _parser.Consume<ParsingEvent>();
        if (isItem || (depth == 1 && here is SequenceStart or MappingStart))
        {
            _item = new BrokenItem((int)here.Start.Line, (int)here.Start.Column, isItem);
        }

        var node = here switch
        {
            AnchorAlias alias => Refuse(here, $"alias '*{alias.Value}'"),
            Scalar scalar => new YamlNode(NodeKind.Text, At(here))
            {
                Text = scalar.Value,
                IsPlain = scalar.Style == ScalarStyle.Plain,
                IsWhole = true,
            },
            SequenceStart => ReadList(here, depth + 1),
            MappingStart => ReadMap(here, depth + 1),
            _ => throw new YamlException(here.Start, here.End, $"unexpected {here.GetType().Name}."),
        };

        // An anchor does not change the value at its place, nor does a tag on a list or mapping; a tagged text may be another value.
        if (here is NodeEvent { Anchor.IsEmpty: false } anchored)
        {
            Refuse(here, $"anchor '&{anchored.Anchor.Value}'");
        }

        return
            here is NodeEvent { Tag.IsEmpty: false } tagged
            && Refuse(here, $"tag '{tagged.Tag.Value}'") is var broken
            && node.Kind == NodeKind.Text
            ? broken
            : node;
    }

    private YamlNode ReadList(ParsingEvent here, int depth)
    {
        List<YamlNode> items = [];
        while (!_parser.TryConsume<SequenceEnd>(out _))
        {
            items.Add(ReadNode(depth, isItem: depth == ItemDepth));
            EndItem(depth);
        }

        return new YamlNode(NodeKind.List, At(here)) { Items = items, IsWhole = items.TrueForAll(item => item.IsWhole) };
    }

    private YamlNode ReadMap(ParsingEvent here, int depth)
    {
        List<YamlEntry> entries = [];
        var isWhole = true;
        Dictionary<string, string> seen = new(StringComparer.Ordinal);
        while (!_parser.TryConsume<MappingEnd>(out _))
        {
            var key = ReadNode(depth, isItem: depth == ItemDepth);
            var value = ReadNode(depth);
            EndItem(depth);
            if (IsGoodKey(key, seen))
            {
                entries.Add(new YamlEntry(key, IsEmptied(value, depth) ? new YamlNode(NodeKind.Broken, value.Where) : value));
                continue;
            }

            // The skipped value may contain anything, and the value that stays is incomplete.
            isWhole = false;
            _skipped.AddRange(value.Texts());
            var twin = entries.FindIndex(entry => entry.Key.Text == key.Text);
            if (twin >= 0)
            {
                entries[twin] = entries[twin] with { Value = entries[twin].Value with { IsWhole = false } };
            }
        }

        return new YamlNode(NodeKind.Map, At(here))
        {
            Entries = entries,
            IsWhole = isWhole && entries.TrueForAll(entry => entry.Value.IsWhole),
        };
    }

    /// <summary>Whether all items of a list were removed.</summary>
    private bool IsEmptied(YamlNode value, int depth) =>
        _isCut && depth == ItemDepth - 1 && value is { Kind: NodeKind.Text, IsPlain: true, Text: "" };

    private void EndItem(int depth) => _item = depth == ItemDepth ? _item!.Value with { IsOpen = false } : _item;

    private bool IsGoodKey(YamlNode key, Dictionary<string, string> seen)
    {
        if (Scalars.Text(key, "a key", _errors) is null)
        {
            return false;
        }

        if (!seen.TryAdd(key.Text, key.Where))
        {
            _errors.Add(
                key,
                BundleErrorCodes.DuplicateKey,
                $"key '{key.Text}' is already at {seen[key.Text]}; allowed: each key once.",
                "merge the two or remove one."
            );
            return false;
        }

        return true;
    }

    private YamlNode Refuse(ParsingEvent here, string what)
    {
        _errors.Add(
            At(here),
            BundleErrorCodes.NotPlainYaml,
            $"{what}; allowed: plain YAML without anchors, aliases and tags.",
            "write the value out, quoted if it starts with *, & or !."
        );
        return new YamlNode(NodeKind.Broken, At(here));
    }

    private string At(ParsingEvent here) => $"{_path}:{here.Start.Line}";
}
