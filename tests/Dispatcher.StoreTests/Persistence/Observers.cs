using System.Data.Common;
using MassTransit;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Dispatcher.StoreTests.Persistence;

/// <summary>Writes the statements of the database to the journal.</summary>
internal sealed class SqlLog(Journal journal) : DbCommandInterceptor
{
    public override ValueTask<DbDataReader> ReaderExecutedAsync(
        DbCommand command,
        CommandExecutedEventData eventData,
        DbDataReader result,
        CancellationToken cancellationToken = default
    )
    {
        journal.Add(new Statement(command.CommandText));
        return new(result);
    }

    public override ValueTask<int> NonQueryExecutedAsync(
        DbCommand command,
        CommandExecutedEventData eventData,
        int result,
        CancellationToken cancellationToken = default
    )
    {
        journal.Add(new Statement(command.CommandText));
        return new(result);
    }
}

internal sealed record Statement(string Text)
{
    public bool Removes => Text.StartsWith("DELETE FROM", StringComparison.Ordinal) && Text.Contains("outbox", StringComparison.Ordinal);
}

/// <summary>Observes the real sends, not those that are only captured, and can refuse them.</summary>
internal sealed class SendGate : ISendObserver
{
    public Func<SendContext, Task> OnSend { get; set; } = _ => Task.CompletedTask;

    /// <summary>Makes each send of this type fail.</summary>
    public void Refuse<T>() =>
        OnSend = context =>
            context.DestinationAddress!.AbsolutePath.EndsWith(typeof(T).Name, StringComparison.Ordinal)
                ? throw new IOException("Refused.")
                : Task.CompletedTask;

    public Task PreSend<T>(SendContext<T> context)
        where T : class => OnSend(context);

    public Task PostSend<T>(SendContext<T> context)
        where T : class => Task.CompletedTask;

    public Task SendFault<T>(SendContext<T> context, Exception exception)
        where T : class => Task.CompletedTask;
}

/// <summary>Counts commits and savepoints, and makes a commit fail before or after it happens.</summary>
internal sealed class CommitControl : DbTransactionInterceptor
{
    private int _commits;
    private int _savepoints;
    private int _failBefore;
    private int _failAfter;

    public int Commits => _commits;

    public int Savepoints => _savepoints;

    public void FailBefore(int times) => _failBefore = times;

    public void FailAfter(int times) => _failAfter = times;

    public override ValueTask<InterceptionResult> TransactionCommittingAsync(
        DbTransaction transaction,
        TransactionEventData eventData,
        InterceptionResult result,
        CancellationToken cancellationToken = default
    ) => Interlocked.Decrement(ref _failBefore) >= 0 ? throw new IOException("The commit failed.") : new(result);

    public override Task TransactionCommittedAsync(
        DbTransaction transaction,
        TransactionEndEventData eventData,
        CancellationToken cancellationToken = default
    )
    {
        Interlocked.Increment(ref _commits);
        return Interlocked.Decrement(ref _failAfter) >= 0
            ? throw new IOException("The answer to the commit was lost.")
            : Task.CompletedTask;
    }

    public override Task CreatedSavepointAsync(
        DbTransaction transaction,
        TransactionEventData eventData,
        CancellationToken cancellationToken = default
    )
    {
        Interlocked.Increment(ref _savepoints);
        return Task.CompletedTask;
    }

    public void Clear() => (_commits, _savepoints) = (0, 0);
}

/// <summary>
/// A clock whose time changes only when a test moves it. Its timers run in real time, which the loops need and FakeTimeProvider does not
/// offer.
/// </summary>
internal sealed class StandingClock : TimeProvider
{
    private readonly DateTimeOffset _start = System.GetUtcNow();
    private TimeSpan _ahead;

    public void Advance(TimeSpan by) => _ahead += by;

    public override DateTimeOffset GetUtcNow() => _start + _ahead;
}

/// <summary>Writes the log lines of the library to the journal.</summary>
internal sealed class LogLines(Journal journal) : ILoggerProvider
{
    public ILogger CreateLogger(string categoryName) => new Lines(journal, categoryName);

    public void Dispose() { }

    private sealed class Lines(Journal journal, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => category.StartsWith("Dispatcher.", StringComparison.Ordinal);

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        ) => journal.Add(new LogLine(logLevel, eventId.Id, formatter(state, exception)));
    }
}

internal sealed record LogLine(LogLevel Level, int EventId, string Text);
