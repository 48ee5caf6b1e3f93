using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.RegularExpressions;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Dispatcher.UnitTests.Hosting;

/// <summary>Records the statements that EF Core runs against the store of one server, until it is disposed.</summary>
internal sealed partial class RecordedSql : IObserver<DiagnosticListener>, IObserver<KeyValuePair<string, object?>>, IDisposable
{
    private readonly ConcurrentBag<IDisposable> _subscriptions = [];
    private readonly ConcurrentQueue<string> _statements = new();
    private readonly string _folder;

    private RecordedSql(string folder) => _folder = folder;

    public IReadOnlyCollection<string> Statements => _statements;

    /// <summary>The statements that read a payload or a result. The first bytes of a payload, for an excerpt, do not count.</summary>
    public IEnumerable<string> OfLargeColumns => _statements.Where(sql => LargeColumn().IsMatch(Excluded().Replace(sql, "")));

    public static RecordedSql Of(AServer server)
    {
        var recorded = new RecordedSql(server.Data);
        recorded._subscriptions.Add(DiagnosticListener.AllListeners.Subscribe(recorded));
        return recorded;
    }

    public void OnNext(DiagnosticListener value)
    {
        if (value.Name == Microsoft.EntityFrameworkCore.DbLoggerCategory.Name)
        {
            _subscriptions.Add(value.Subscribe(this));
        }
    }

    public void OnNext(KeyValuePair<string, object?> value)
    {
        if (
            value.Key == RelationalEventId.CommandExecuting.Name
            && value.Value is CommandEventData { Context: DispatcherDb, Command: { Connection: { } connection } command }
            && connection.ConnectionString.Contains(_folder, StringComparison.Ordinal)
        )
        {
            _statements.Enqueue(command.CommandText);
        }
    }

    public void OnCompleted() { }

    public void OnError(Exception error) { }

    public void Dispose()
    {
        foreach (var subscription in _subscriptions)
        {
            subscription.Dispose();
        }
    }

    [GeneratedRegex(@"\b(payload|result)\b")]
    private static partial Regex LargeColumn();

    /// <summary>The excerpt of a payload, and an empty value under the name of a large column.</summary>
    [GeneratedRegex(@"substr\([^,]*payload[^)]*\)|x'' as payload|cast\(null as bytea\) as result")]
    private static partial Regex Excluded();
}
