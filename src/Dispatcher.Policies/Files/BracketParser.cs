using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Dispatcher.Policies.Files;

/// <summary>The line and the reason of a YAML syntax error.</summary>
internal readonly record struct YamlError(int Line, string Reason);

/// <summary>A parser that tracks open brackets. The parser of YamlDotNet does not report where an unclosed bracket opens.</summary>
internal sealed class BracketParser(string text) : IParser
{
    private readonly Parser _parser = new(new StringReader(text));
    private readonly Stack<NodeEvent> _open = [];

    public ParsingEvent? Current => _parser.Current;

    public bool MoveNext()
    {
        if (!_parser.MoveNext())
        {
            return false;
        }

        if (Current is MappingStart or SequenceStart)
        {
            _open.Push((NodeEvent)Current);
        }
        else if (Current is MappingEnd or SequenceEnd)
        {
            _open.Pop();
        }

        return true;
    }

    public YamlError Explain(Exception error)
    {
        var bracket = Bracket(error);
        if (error is not YamlException yaml)
        {
            return new YamlError(
                bracket ?? (int)(Current?.End.Line ?? 1),
                bracket is null ? "this cannot be read." : "a bracket that opens here is not closed."
            );
        }

        if (yaml.Message.Contains("tab", StringComparison.Ordinal) && TabbedLine() is { } tabbed)
        {
            return new YamlError(tabbed, "the indentation contains a tab; allowed: spaces.");
        }

        // The parser counts one line too many at the end, and detects an unclosed quote late.
        var lines = text.AsSpan().Count('\n') + 1;
        var isQuote = yaml.Message.Contains("quoted", StringComparison.Ordinal);
        var line = (int)Math.Min(isQuote ? yaml.Start.Line : yaml.End.Line, lines);
        return bracket is { } open && (open < line || yaml.End.Line > lines)
            ? new YamlError(open, $"a bracket that opens here is not closed, or lacks a comma; seen on line {line}: {yaml.Message}")
            : new YamlError(line, yaml.Message);
    }

    /// <summary>The line of the tab: the parser reports line 1.</summary>
    private int? TabbedLine()
    {
        var read = (int)(Current?.End.Line ?? 1) - 1;
        var next = text.Split('\n')
            .Skip(read)
            .ToList()
            .FindIndex(line => line.AsSpan(0, line.Length - line.AsSpan().TrimStart().Length).Contains('\t'));
        return next < 0 ? null : read + next + 1;
    }

    /// <summary>The line of the bracket that is open or opens next.</summary>
    private int? Bracket(Exception error)
    {
        if (_open.TryPeek(out var open) && open is MappingStart { Style: MappingStyle.Flow } or SequenceStart { Style: SequenceStyle.Flow })
        {
            return (int)open.Start.Line;
        }

        var from = (int)Math.Clamp(Current?.End.Index ?? 0, 0, text.Length);
        var next = error is YamlException ? -1 : text.AsSpan(from).IndexOfAny('{', '[');
        return next < 0 ? null : text.AsSpan(0, from + next).Count('\n') + 1;
    }
}
