using System.Net.Sockets;
using Dispatcher.Base;
using Npgsql;

namespace Dispatcher.Storage;

/// <summary>
/// Whether the store takes writes, from the results of the last writes. Logs an outage once when it begins and once when it ends, with the
/// number of failed writes. Clears the session pool when its sessions no longer reach a writable database.
/// </summary>
/// <param name="source">The pool of sessions. Null: SQLite, which has no sessions.</param>
/// <param name="time">The clock that measures ages.</param>
/// <param name="logger">Gets the two messages of an outage.</param>
internal sealed partial class StoreHealth(NpgsqlDataSource? source, TimeProvider time, ILogger<StoreHealth> logger)
{
    /// <summary>The process writes every 2 s. Two rounds without a success are an outage.</summary>
    private static readonly TimeSpan MaxSilence = TimeSpan.FromSeconds(4);

    /// <summary>How long a failed writer that does not write again counts as failing: its callers may have left.</summary>
    private static readonly TimeSpan Remembered = TimeSpan.FromSeconds(10);

    private readonly Lock _guard = new();
    private readonly Dictionary<object, long> _failing = [];
    private string _reason = "no write was tried yet";
    private long _provedAt;
    private bool _isProved;
    private long _failingSince;
    private int _failures;

    /// <summary>Why the store takes no writes. Null: it takes writes.</summary>
    public string? Trouble
    {
        get
        {
            lock (_guard)
            {
                var silence = time.GetElapsedTime(_provedAt);
                return !_isProved ? "nothing was written to the database yet"
                    : silence > MaxSilence ? $"the database has taken no write for {silence.TotalSeconds:F0} s: {_reason}"
                    : _failing.Values.Any(at => time.GetElapsedTime(at) < Remembered) ? $"writes to the database fail: {_reason}"
                    : null;
            }
        }
    }

    /// <summary>Reports that the probe committed its write, which it makes every 2 s.</summary>
    public void Proved(object writer)
    {
        lock (_guard)
        {
            (_provedAt, _isProved) = (time.GetTimestamp(), true);
            foreach (var (old, _) in _failing.Where(failing => time.GetElapsedTime(failing.Value) >= Remembered).ToList())
            {
                _failing.Remove(old);
            }
        }

        Works(writer);
    }

    /// <summary>Reports that a writer committed.</summary>
    public void Works(object writer)
    {
        lock (_guard)
        {
            _failing.Remove(writer);
            if (_failures > 0 && _failing.Count == 0)
            {
                Log.Back(logger, time.GetElapsedTime(_failingSince).TotalSeconds, _failures);
                _failures = 0;
            }
        }
    }

    /// <summary>Reports that a writer could not commit, with a fault that is not in its data.</summary>
    public void Fails(object writer, Exception fault)
    {
        if (fault.IsOfSession())
        {
            source?.Clear();
        }

        lock (_guard)
        {
            _failing[writer] = time.GetTimestamp();
            _reason = fault is OperationCanceledException ? "it does not answer" : ReasonOf(fault).TrimEnd('.');
            if (_failures++ == 0)
            {
                _failingSince = time.GetTimestamp();
                Log.Away(logger, _reason);
            }
        }
    }

    /// <summary>The cause, with the address of the server: only the message of the client library has it.</summary>
    private static string ReasonOf(Exception fault)
    {
        var cause = fault.GetBaseException();
        for (var outer = fault; outer is not null && cause is SocketException; outer = outer.InnerException)
        {
            if (outer is NpgsqlException unreachable)
            {
                return $"{unreachable.Message}: {cause.Message}";
            }
        }

        return cause.Message;
    }

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.StoreUnavailable,
            LogLevel.Error,
            "The database does not take writes: {Reason}. No data is lost: writes are retried. "
                + "Further failures are counted and not logged"
        )]
        public static partial void Away(ILogger logger, string reason);

        [LoggerMessage(
            EventIds.StoreBack,
            LogLevel.Information,
            "The database takes writes again after {Seconds:F1} s; {Count} writes failed meanwhile"
        )]
        public static partial void Back(ILogger logger, double seconds, int count);
    }
}
