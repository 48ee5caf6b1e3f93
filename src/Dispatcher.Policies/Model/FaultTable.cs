using System.Collections.Frozen;

namespace Dispatcher.Policies.Model;

/// <summary>
/// Which faults may pass and which will come again, told by their code (<c>http:503</c>, <c>exit:75</c>) or the type of their exception. A row is one of these, or its
/// beginning and <c>*</c>. The code goes before the type, what is written out before a beginning, a longer beginning before a shorter one.
/// </summary>
public sealed class FaultTable
{
    private readonly FrozenDictionary<string, bool> _exact;
    private readonly IReadOnlyList<(string Beginning, bool MayPass)> _beginnings;

    /// <summary>No row may be on both sides.</summary>
    /// <param name="transient">Rows of faults that may pass.</param>
    /// <param name="terminal">Rows of faults that will come again.</param>
    public FaultTable(IReadOnlyList<string> transient, IReadOnlyList<string> terminal)
    {
        var rows = transient
            .Select(row => (Row: row, MayPass: true))
            .Concat(terminal.Select(row => (Row: row, MayPass: false)))
            .ToLookup(row => row.Row.EndsWith('*'));
        _exact = rows[false].ToFrozenDictionary(row => row.Row, row => row.MayPass, StringComparer.Ordinal);
        _beginnings = [.. rows[true].Select(row => (row.Row[..^1], row.MayPass)).OrderByDescending(row => row.Item1.Length)];
    }

    /// <summary>No rows.</summary>
    public static FaultTable Empty { get; } = new([], []);

    /// <summary>What holds where neither the topic's table nor the handler says anything. The types are those of .NET and Python.</summary>
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

    /// <summary>Whether a fault may pass. Null: no row fits.</summary>
    /// <param name="code">A machine's word for it; null: it has none.</param>
    /// <param name="type">The type of the exception.</param>
    public bool? MayPass(string? code, string type) => Exact(code) ?? ByBeginning(code) ?? Exact(type) ?? ByBeginning(type);

    private bool? Exact(string? text) => text is not null && _exact.TryGetValue(text, out var mayPass) ? mayPass : null;

    private bool? ByBeginning(string? text)
    {
        foreach ((var beginning, var mayPass) in _beginnings)
        {
            if (text?.StartsWith(beginning, StringComparison.Ordinal) == true)
            {
                return mayPass;
            }
        }

        return null;
    }
}
