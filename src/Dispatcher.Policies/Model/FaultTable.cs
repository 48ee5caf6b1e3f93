using System.Collections.Frozen;

namespace Dispatcher.Policies.Model;

/// <summary>
/// Classifies faults as transient or terminal, by their code (<c>http:503</c>, <c>exit:75</c>) or the type of their exception. A row is a
/// code, a type, or the beginning of one followed by <c>*</c>. A code takes precedence over a type, an exact row over a beginning, and a
/// longer beginning over a shorter one.
/// </summary>
public sealed class FaultTable
{
    private readonly FrozenDictionary<string, bool> _exact;
    private readonly IReadOnlyList<(string Beginning, bool IsTransient)> _beginnings;

    /// <summary>No row may be in both lists.</summary>
    /// <param name="transient">Rows of transient faults.</param>
    /// <param name="terminal">Rows of terminal faults.</param>
    public FaultTable(IReadOnlyList<string> transient, IReadOnlyList<string> terminal)
    {
        var rows = transient
            .Select(row => (Row: row, IsTransient: true))
            .Concat(terminal.Select(row => (Row: row, IsTransient: false)))
            .ToLookup(row => row.Row.EndsWith('*'));
        _exact = rows[false].ToFrozenDictionary(row => row.Row, row => row.IsTransient, StringComparer.Ordinal);
        _beginnings = [.. rows[true].Select(row => (row.Row[..^1], row.IsTransient)).OrderByDescending(row => row.Item1.Length)];
    }

    /// <summary>A table without rows.</summary>
    public static FaultTable Empty { get; } = new([], []);

    /// <summary>
    /// The classification where neither the topic's table nor the handler gives one. The types are those of .NET and Python.
    /// </summary>
    public static FaultTable Defaults { get; } =
        new(
            [
                "http:408",
                "http:425",
                "http:429",
                "http:5*",
                "exit:75",
                "System.TimeoutException",
                "System.Threading.Tasks.TaskCanceledException",
                "System.Net.Http.HttpRequestException",
                "System.Net.Sockets.SocketException",
                "TimeoutError",
                "ConnectionError",
                "ConnectionAbortedError",
                "ConnectionRefusedError",
                "ConnectionResetError",
                "URLError",
            ],
            [
                "http:4*",
                "http:501",
                "http:505",
                "exit:126",
                "exit:127",
                "no_handler",
                "bad_payload",
                "bad_result",
                "effects_unavailable",
                "System.ArgumentException",
                "System.ArgumentNullException",
                "System.ArgumentOutOfRangeException",
                "System.FormatException",
                "System.NotImplementedException",
                "System.NotSupportedException",
                "System.UnauthorizedAccessException",
                "System.Text.Json.JsonException",
                "NotImplementedError",
                "PermissionError",
                "TypeError",
                "ValueError",
            ]
        );

    /// <summary>Whether a fault is transient. Null: no row matches.</summary>
    /// <param name="code">The code of the fault. Null: it has none.</param>
    /// <param name="type">The type of the exception.</param>
    public bool? IsTransient(string? code, string type) => Exact(code) ?? ByBeginning(code) ?? Exact(type) ?? ByBeginning(type);

    private bool? Exact(string? text) => text is not null && _exact.TryGetValue(text, out var isTransient) ? isTransient : null;

    private bool? ByBeginning(string? text)
    {
        foreach ((var beginning, var isTransient) in _beginnings)
        {
            if (text?.StartsWith(beginning, StringComparison.Ordinal) == true)
            {
                return isTransient;
            }
        }

        return null;
    }
}
