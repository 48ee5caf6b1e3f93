using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Text;
using Dispatcher.Dispatching;
using Dispatcher.Events;
using Dispatcher.Health;
using Dispatcher.Intake;
using Dispatcher.Jobs;
using Dispatcher.Judging;
using Dispatcher.Policies;
using Dispatcher.Relaying;
using Dispatcher.StoreTests.Databases;
using Dispatcher.Storing;
using Dispatcher.Workers;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Dispatcher.StoreTests;

/// <summary>The writers of one process, running, on a store. Nothing is sent: what they commit stays in the outbox.</summary>
internal sealed class Writers : IAsyncDisposable
{
    private readonly Relay _relay;
    private readonly StoreClock _clock;
    private readonly CurrentBundle _bundle;
    private readonly PoolWakes _wakes;

    private int _timesWaited;

    private Writers(IStore store, IDbContextFactory<DispatcherDb> contexts)
    {
        _relay = new Relay(new NoTransport(), store, NullLogger<Relay>.Instance);
        _clock = new StoreClock(store, TimeProvider.System, NullLogger<StoreClock>.Instance);
        var events = new JobEvents(_clock, TimeProvider.System, Options.Create(new EventOptions()));
        Intake = new IntakeWriter(store, contexts, _relay, TimeProvider.System, new Told<IntakeWriter>(this));
        _bundle = new CurrentBundle(contexts, TimeProvider.System, NullLogger<CurrentBundle>.Instance);
        _wakes = new PoolWakes(new NoTransport(), TimeProvider.System, NullLogger<PoolWakes>.Instance);
        var metrics = new DispatcherMetrics(new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>());
        Window = new PoolWindow(contexts, _bundle, _clock, TimeProvider.System, Options.Create(new DispatchOptions()));
        Lines = new PoolLines(contexts, _bundle, _clock);
        Workers = new WorkerRegister(contexts, _bundle, _wakes, _clock, new Told<WorkerRegister>(this));
        Moves = new MoveWriter(store, _relay, events, Window, _wakes, metrics, new Told<MoveWriter>(this));
    }

    public IntakeWriter Intake { get; }

    public MoveWriter Moves { get; }

    public PoolWindow Window { get; }

    public PoolLines Lines { get; }

    public WorkerRegister Workers { get; }

    /// <summary>What was logged of credentials that several use.</summary>
    public ConcurrentQueue<string> SharedTold { get; } = new();

    /// <summary>How often a batch had to wait for a store that was away.</summary>
    public int TimesWaited => _timesWaited;

    public static Task<Writers> OnAsync(TestDatabase database) => OnAsync(database.Store, database.Contexts);

    public static async Task<Writers> OnAsync(IStore store, IDbContextFactory<DispatcherDb> contexts)
    {
        var writers = new Writers(store, contexts);
        await writers.Intake.StartAsync(CancellationToken.None);
        await writers.Moves.StartAsync(CancellationToken.None);
        return writers;
    }

    /// <summary>Puts a registry of these topics in force.</summary>
    public async Task BundleAsync(string topics, IStore store, CancellationToken cancellationToken)
    {
        BundleFile Of(string path, string text) => new(path, Encoding.UTF8.GetBytes(text));
        var load = Bundle.Load([
            Of("topics.yaml", $"version: v1\npools:\n  shell: {{ enforcers: [] }}\n  moved: {{ enforcers: [] }}\ntopics:\n  {topics}\n"), Of("rules/none.yaml", "version: v1\nrules: []\n")]);
        var bundle = load.Bundle ?? throw new ArgumentException(string.Join("; ", load.Errors), nameof(topics));
        await store.ActivateAsync(_ => AnActivation.Of(bundle.Hash) with { Archive = bundle.Archive }, cancellationToken);
        await _bundle.OnceAsync(cancellationToken);
    }

    public async Task StopAsync()
    {
        await Intake.StopAsync(CancellationToken.None);
        await Moves.StopAsync(CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        Intake.Dispose();
        Moves.Dispose();
        _relay.Dispose();
        _wakes.Dispose();
        _bundle.Dispose();
        _clock.Dispose();
    }

    private sealed class Told<T>(Writers writers) : ILogger<T>
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (eventId.Id == EventIds.StoreAway)
            {
                Interlocked.Increment(ref writers._timesWaited);
            }

            if (eventId.Id == EventIds.SharedCredential)
            {
                writers.SharedTold.Enqueue(formatter(state, exception));
            }
        }
    }

    private sealed class NoTransport : IOutboxTransport
    {
        public Task SendAsync(OutboxMessage message, CancellationToken cancellationToken) => throw new NotSupportedException("The relay is not started.");

        public Task ReplyAsync(Reply reply, CancellationToken cancellationToken) => throw new NotSupportedException("The relay is not started.");
    }
}
