using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Dispatcher.Policies.Files;

/// <summary>Where and why a text is no YAML.</summary>
internal readonly record struct YamlFault(int Line, string Reason);

/// <summary>A parser that knows which brackets are open. YamlDotNet's own gives up on one that is never closed without saying where.</summary>
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

    public YamlFault Explain(Exception error)
    {
        var bracket = Bracket(error);
        if (error is not YamlException yaml)
        {
            return new YamlFault(
                bracket ?? (int)(Current?.End.Line ?? 1),
                bracket is null ? "what stands here cannot be read." : "a bracket that opens here is not closed."
            );
        }

        if (yaml.Message.Contains("tab", StringComparison.Ordinal) && TabbedLine() is { } tabbed)
        {
            return new YamlFault(tabbed, "a tab stands in the indentation; allowed: spaces.");
        }

        // The parser counts a line after the last one, and finds out late that a quote is not closed.
        var lines = text.AsSpan().Count('\n') + 1;
        var isQuote = yaml.Message.Contains("quoted", StringComparison.Ordinal);
        var line = (int)Math.Min(isQuote ? yaml.Start.Line : yaml.End.Line, lines);
        return bracket is { } open && (open < line || yaml.End.Line > lines)
            ? new YamlFault(open, $"a bracket that opens here is not closed, or lacks a comma; seen on line {line}: {yaml.Message}")
            : new YamlFault(line, yaml.Message);
    }

    /// <summary>The parser says line 1.</summary>
    private int? TabbedLine()
    {
        var read = (int)(Current?.End.Line ?? 1) - 1;
        var next = text.Split('\n')
            .Skip(read)
            .ToList()
            .FindIndex(line => line.AsSpan(0, line.Length - line.AsSpan().TrimStart().Length).Contains('\t'));
        return next < 0 ? null : read + next + 1;
    }

    /// <summary>The line of the bracket that is open, or about to be opened.</summary>
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
