using Dispatcher.Benchmarks.Children;
using Dispatcher.Benchmarks.Staging;

namespace Dispatcher.Benchmarks.Contestants;

/// <summary>The hand-written limit: one child process that does the four hops.</summary>
internal sealed class LimitContestant(Stage stage, ProgramProcess child) : RunningContestant
{
    public override string Exchange => "";

    public override IReadOnlyList<(string Role, ProgramProcess Process)> Processes { get; } = [(Server, child)];

    public static async Task<RunningContestant> StartAsync(Stage stage, bool effect, bool events, CancellationToken cancellationToken)
    {
        var child = ProgramProcess.Child([
            "limit",
            "--rabbitmq",
            stage.BrokerAs(Stage.ServerUser).AbsoluteUri,
            "--postgres",
            stage.Postgres,
            .. ProgramProcess.Flag("--effect", effect),
            .. ProgramProcess.Flag("--events", events),
        ]);
        var running = new LimitContestant(stage, child);
        await child.ReportAsync(cancellationToken);
        return running;
    }

    public override string Topic(int number) => "job.bench.t0";

    public override string RoutingKey(string topic) => LimitQueues.Submit;

    public override async Task<long> DoneAsync(CancellationToken cancellationToken) => (await child.ReportAsync(cancellationToken)).Done;

    public override async Task SettleAsync(long jobs, CancellationToken cancellationToken)
    {
        await WaitAsync(() => StoredJobs.OutboxIsEmptyAsync(stage, cancellationToken), "the outbox is empty", cancellationToken);
        await StoredJobs.CheckSucceededAsync(stage, 0, jobs, cancellationToken);
    }

    public override Task<DateTimeOffset?> LastEndAsync(CancellationToken cancellationToken) =>
        StoredJobs.LastEndAsync(stage, cancellationToken);

    public override async Task<long?> AllocatedAsync(string role, CancellationToken cancellationToken) =>
        (await child.ReportAsync(cancellationToken)).Allocated;
}
