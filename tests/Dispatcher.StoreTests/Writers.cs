using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Text;
using Dispatcher.Base;
using Dispatcher.Dispatching;
using Dispatcher.Enforcement;
using Dispatcher.Intake;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Policies;
using Dispatcher.Policies.Files;
using Dispatcher.Recovery;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Dispatcher.StoreTests.Databases;
using Dispatcher.Web;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Dispatcher.StoreTests;

/// <summary>The running writers of one process. No relay runs, so committed messages stay in the outbox.</summary>
internal sealed class Writers : IAsyncDisposable
{
    private readonly Relay _relay;
    private readonly CurrentBundle _bundle;
    private readonly PolicyGate _gate;
    private readonly JobDispatch _dispatch;
    private readonly Permits _permits;
    private readonly DispatchSignals _signals;

    private int _timesWaited;

    private Writers(IStore store, IDbContextFactory<DispatcherDb> contexts)
    {
        _relay = new Relay(new NoTransport(), store, NullLogger<Relay>.Instance);
        Clock = new StoreClock(store, TimeProvider.System, NullLogger<StoreClock>.Instance);
        var events = new JobEvents(Clock, TimeProvider.System, Options.Create(new EventOptions()));
        Health = new StoreHealth(null, TimeProvider.System, new RecordingLogger<StoreHealth>(this));
        var meters = new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>();
        var (metrics, jobMetrics) = (new DispatcherMetrics(meters), new JobMetrics(meters));
        Intake = new IntakeWriter(store, Health, contexts, _relay, jobMetrics, TimeProvider.System);
        _bundle = new CurrentBundle(contexts, TimeProvider.System, NullLogger<CurrentBundle>.Instance);
        _signals = new DispatchSignals(new NoTransport(), TimeProvider.System, NullLogger<DispatchSignals>.Instance);
        Capacity = new PoolCapacity(contexts, _bundle, Clock, TimeProvider.System, Options.Create(new DispatchOptions()));
        Backlog = new PoolBacklog(contexts, _bundle, Clock);
        Workers = new WorkerRegister(contexts, _bundle, _signals, Clock, new RecordingLogger<WorkerRegister>(this));
        _gate = new PolicyGate(
            _bundle,
            new PrincipalOwners(contexts, TimeProvider.System),
            Clock,
            metrics,
            TimeProvider.System,
            NullLogger<PolicyGate>.Instance
        );
        _permits = new Permits(contexts, TimeProvider.System);
        Live = new LiveJobs(contexts);
        Moves = new MoveWriter(
            store,
            Health,
            _relay,
            events,
            [Live, Capacity, _signals, new MoveMetrics(metrics, jobMetrics, Clock)],
            TimeProvider.System
        );
        Recovery = new JobRecovery(
            Moves,
            store,
            Live,
            contexts,
            _bundle,
            Clock,
            TimeProvider.System,
            new RecordingLogger<JobRecovery>(this)
        );
        JobIntake = new JobIntake(
            new SubmissionReader(Options.Create(new IntakeOptions())),
            Intake,
            _gate,
            _bundle,
            store,
            _relay,
            events,
            Clock,
            jobMetrics,
            TimeProvider.System,
            NullLogger<JobIntake>.Instance
        );
        _dispatch = new JobDispatch(
            Moves,
            _gate,
            new Approvers(contexts),
            new Contradictions(contexts),
            _bundle,
            _permits,
            Clock,
            TimeProvider.System,
            new RecordingLogger<JobDispatch>(this)
        );
    }

    public StoreHealth Health { get; }

    public StoreClock Clock { get; }

    public IntakeWriter Intake { get; }

    public JobIntake JobIntake { get; }

    public MoveWriter Moves { get; }

    public LiveJobs Live { get; }

    public PoolCapacity Capacity { get; }

    public PoolBacklog Backlog { get; }

    public WorkerRegister Workers { get; }

    public JobRecovery Recovery { get; }

    public CurrentBundle Current => _bundle;

    /// <summary>The log lines about credentials that several instances use.</summary>
    public ConcurrentQueue<string> SharedCredentialLogs { get; } = new();

    /// <summary>The log lines about dispatches that the timeline contradicts.</summary>
    public ConcurrentQueue<string> Contradictions { get; } = new();

    /// <summary>The log lines about late outcomes.</summary>
    public ConcurrentQueue<string> LateOutcomeLogs { get; } = new();

    /// <summary>How often a batch waited for an unavailable store.</summary>
    public int TimesWaited => _timesWaited;

    public static Task<Writers> OnAsync(TestDatabase database) => OnAsync(database.Store, database.Contexts);

    public static async Task<Writers> OnAsync(IStore store, IDbContextFactory<DispatcherDb> contexts)
    {
        var writers = new Writers(store, contexts);
        await writers.Intake.StartAsync(CancellationToken.None);
        await writers.Moves.StartAsync(CancellationToken.None);
        return writers;
    }

    public async Task<Evaluated<Job>> EvaluateAsync(Job job, CancellationToken cancellationToken)
    {
        await Clock.OnceAsync(cancellationToken);
        return await _gate.EvaluateAsync(job, Hop.Dispatch, cancellationToken);
    }

    public async Task DispatchAsync(Job job, CancellationToken cancellationToken) =>
        await DispatchAsync(await EvaluateAsync(job, cancellationToken), cancellationToken);

    public Task DispatchAsync(Evaluated<Job> evaluated, CancellationToken cancellationToken) =>
        _dispatch.DispatchAsync(evaluated, cancellationToken);

    public async Task<RecoveryContext> ContextAsync(CancellationToken cancellationToken)
    {
        await Clock.OnceAsync(cancellationToken);
        return new RecoveryContext(_bundle.InForce.Bundle, Clock.Now, TimeProvider.System);
    }

    /// <summary>Puts a bundle of this topic and these rules in force. The caller chooses whether this process reads it at once.</summary>
    public async Task BundleAsync(string topics, IStore store, CancellationToken cancellationToken, string rules = "", bool known = true)
    {
        var bundle = Build(topics, rules);
        await store.ActivateAsync(_ => AnActivation.Of(bundle.Hash) with { Archive = bundle.Archive }, cancellationToken);
        if (known)
        {
            await _bundle.OnceAsync(cancellationToken);
        }
    }

    /// <summary>Writes the row of a bundle as a user with write access to the tables can. Returns its hash.</summary>
    public static async Task<string> InsertBundleAsync(
        string topics,
        TestDatabase database,
        CancellationToken cancellationToken,
        string rules = ""
    )
    {
        var bundle = Build(topics, rules);
        await using var db = await database.Contexts.CreateDbContextAsync(cancellationToken);
        db.Bundles.Add(new StoredBundle { Hash = bundle.Hash, Archive = bundle.Archive.ToArray() });
        await db.SaveChangesAsync(cancellationToken);
        return bundle.Hash;
    }

    private static Bundle Build(string topics, string rules)
    {
        BundleFile File(string path, string text) => new(path, Encoding.UTF8.GetBytes(text));
        var load = Bundle.Load([
            File("topics.yaml", $"version: v1\npools:\n  shell: {{ enforcers: [] }}\n  moved: {{ enforcers: [] }}\ntopics:\n  {topics}\n"),
            File("rules/some.yaml", $"version: v1\nrules: [{rules}]\n"),
        ]);
        return load.Bundle ?? throw new ArgumentException(string.Join("; ", load.Errors), nameof(topics));
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
        _permits.Dispose();
        _relay.Dispose();
        _signals.Dispose();
        _bundle.Dispose();
        Clock.Dispose();
    }

    private sealed class RecordingLogger<T>(Writers writers) : ILogger<T>
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        )
        {
            if (eventId.Id == EventIds.StoreUnavailable)
            {
                Interlocked.Increment(ref writers._timesWaited);
            }

            if (eventId.Id == EventIds.DispatchContradicted)
            {
                Assert.Equal(LogLevel.Error, logLevel);
                writers.Contradictions.Enqueue(formatter(state, exception));
            }

            if (eventId.Id == EventIds.OutcomeLate)
            {
                writers.LateOutcomeLogs.Enqueue(formatter(state, exception));
            }

            if (eventId.Id == EventIds.SharedCredential)
            {
                writers.SharedCredentialLogs.Enqueue(formatter(state, exception));
            }
        }
    }

    private sealed class NoTransport : IOutboxTransport
    {
        public Task SendAsync(OutboxMessage message, CancellationToken cancellationToken) =>
            throw new NotSupportedException("The relay is not started.");

        public Task ReplyAsync(Reply reply, CancellationToken cancellationToken) =>
            throw new NotSupportedException("The relay is not started.");
    }
}
