using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Serialization;
using Dispatcher.Worker;

namespace Dispatcher.JourneyWorker;

/// <summary>
/// Fails as the payload states. <c>{"fault": "once"}</c>: transiently in the first attempt. <c>"always"</c>: transiently.
/// <c>"terminal"</c>: terminally. <c>"hang"</c>: waits until it is stopped. <c>"kill"</c>: kills its process. <c>"downstream"</c>:
/// transiently while the downstream is down. Records each start, and has one effect when it succeeds.
/// </summary>
internal sealed class FaultyHandler(Notebook notebook) : IJobHandler
{
    public async Task<JobResult> RunAsync(JobRun run, CancellationToken cancellationToken)
    {
        await notebook.NoteStartAsync(run, cancellationToken);
        switch (run.Payload.Deserialize<Plan>()!.Fault)
        {
            case "once" when run.Attempt == 1:
            case "always":
                throw JobFaultException.Transient("busy", "The payload asks for this failure.");
            case "terminal":
                throw JobFaultException.Terminal("never", "The payload asks for this failure.");
            case "hang":
                await Task.Delay(Timeout.Infinite, cancellationToken);
                break;
            case "kill":
                Process.GetCurrentProcess().Kill();
                break;
            case "downstream" when !await notebook.IsUpAsync(cancellationToken):
                throw JobFaultException.Transient("http:503", "The downstream is down.");
        }

        await run.Effects.OnceAsync(
            "count",
            (connection, transaction, token) => Notebook.CountAsync(run, connection, transaction, token),
            cancellationToken
        );
        return JobResult.Nothing;
    }

    internal sealed record Plan
    {
        [JsonPropertyName("fault")]
        public string Fault { get; init; } = "";
    }
}
