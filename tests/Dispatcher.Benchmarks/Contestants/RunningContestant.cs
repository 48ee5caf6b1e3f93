using Dispatcher.Benchmarks.Staging;

namespace Dispatcher.Benchmarks.Contestants;

/// <summary>A way to move jobs from their submission to their end, as a set of processes that a round starts anew.</summary>
/// <param name="Name">For <c>--only</c> and the tables.</param>
/// <param name="Description">For the help.</param>
/// <param name="StartAsync">Starts the processes. Events: the end of each job is published to the events exchange.</param>
internal sealed record Contestant(
    string Name,
    string Description,
    Func<Stage, bool, CancellationToken, Task<RunningContestant>> StartAsync
);

/// <summary>The started processes of a contestant.</summary>
internal abstract class RunningContestant : IAsyncDisposable
{
    public const string Server = "server";
    public const string Worker = "worker";

    // The server reads millions of stored seals at its first start.
    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    /// <summary>The exchange that jobs are published to. Empty: the default exchange.</summary>
    public abstract string Exchange { get; }

    /// <summary>The processes by what they do. A contestant of one process has it as <see cref="Server"/>.</summary>
    public abstract IReadOnlyList<(string Role, ProgramProcess Process)> Processes { get; }

    /// <summary>The HTTP side of the server. Null: there is none.</summary>
    public virtual HttpClient? Http => null;

    /// <summary>The topic of a job by its number.</summary>
    public abstract string Topic(int number);

    /// <summary>The routing key of a job by its topic.</summary>
    public virtual string RoutingKey(string topic) => topic;

    /// <summary>The pause between two questions how many jobs are final: a question must cost nothing beside the jobs.</summary>
    public virtual TimeSpan Poll { get; } = TimeSpan.FromMilliseconds(20);

    /// <summary>Jobs that are final since the start.</summary>
    public abstract Task<long> DoneAsync(CancellationToken cancellationToken);

    /// <summary>Waits until nothing of these jobs is left to do. Throws if a job has not succeeded.</summary>
    public abstract Task SettleAsync(long jobs, CancellationToken cancellationToken);

    /// <summary>When the last job became final, by the clock of this machine. Null: it does not know.</summary>
    public virtual Task<DateTimeOffset?> LastEndAsync(CancellationToken cancellationToken) => Task.FromResult<DateTimeOffset?>(null);

    /// <summary>Bytes that the processes of a role allocated since the start. Null: unknown.</summary>
    public abstract Task<long?> AllocatedAsync(string role, CancellationToken cancellationToken);

    public void CheckRuns()
    {
        foreach (var (_, process) in Processes)
        {
            process.CheckRuns();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(Processes.Select(one => one.Process.DisposeAsync().AsTask()));
        Release();
    }

    /// <summary>Releases what is not a process.</summary>
    protected virtual void Release() { }

    protected static async Task<long> SumAsync(
        IEnumerable<ProgramProcess> children,
        Func<ChildReport, long> value,
        CancellationToken cancellationToken
    )
    {
        var sum = 0L;
        foreach (var child in children)
        {
            sum += value(await child.ReportAsync(cancellationToken));
        }

        return sum;
    }

    protected static async Task WaitAsync(Func<Task<bool>> condition, string what, CancellationToken cancellationToken)
    {
        for (var tries = 0; tries < LongestWait / Pause; tries++)
        {
            if (await condition())
            {
                return;
            }

            await Task.Delay(Pause, cancellationToken);
        }

        throw new TimeoutException($"Waited {LongestWait.TotalSeconds} s in vain until {what}.");
    }
}
