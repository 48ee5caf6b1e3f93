using Dispatcher.Benchmarks.Children;
using Dispatcher.Benchmarks.Staging;

namespace Dispatcher.Benchmarks.Contestants;

/// <summary>Plain MassTransit without a database: one child process that does the four hops.</summary>
internal sealed class MassTransitContestant(ProgramProcess child) : RunningContestant
{
    public override string Exchange => MassTransitChild.Submit;

    public override IReadOnlyList<(string Role, ProgramProcess Process)> Processes { get; } = [(Server, child)];

    public static async Task<RunningContestant> StartAsync(Stage stage, bool events, CancellationToken cancellationToken)
    {
        var child = ProgramProcess.Child([
            "masstransit",
            "--rabbitmq",
            stage.BrokerAs(Stage.ServerUser).AbsoluteUri,
            .. ProgramProcess.Flag("--events", events),
        ]);
        var running = new MassTransitContestant(child);
        await child.ReportAsync(cancellationToken);
        return running;
    }

    public override string Topic(int number) => "job.bench.t0";

    public override async Task<long> DoneAsync(CancellationToken cancellationToken) => (await child.ReportAsync(cancellationToken)).Done;

    /// <summary>Nothing is left to do after the last hop but its ack.</summary>
    public override Task SettleAsync(long jobs, CancellationToken cancellationToken) =>
        Task.Delay(TimeSpan.FromMilliseconds(100), cancellationToken);

    public override async Task<long?> AllocatedAsync(string role, CancellationToken cancellationToken) =>
        (await child.ReportAsync(cancellationToken)).Allocated;
}
