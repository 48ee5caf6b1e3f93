using Dispatcher.Base;
using MassTransit;

namespace Dispatcher.Broker;

/// <summary>
/// The end of an endpoint's error pipe. Faults of input never come here; what does is a mistake of ours, or the process is stopping. The message stays with
/// the broker: it is returned, after a pause so that it does not spin, and the queue's delivery limit sets it aside at last.
/// </summary>
internal sealed partial class LastResort(TimeProvider time, ILogger<LastResort> logger) : IFilter<ExceptionReceiveContext>
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    public async Task Send(ExceptionReceiveContext context, IPipe<ExceptionReceiveContext> next)
    {
        if (context.Exception.GetBaseException() is not OperationCanceledException)
        {
            Log.Unexpected(logger, context.InputAddress, context.Exception);
            await Task.Delay(Pause, time, context.CancellationToken);
        }

        throw new MessageReturnedException(context.Exception);
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("lastResort");

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.UnexpectedFault,
            LogLevel.Error,
            "A message of {Endpoint} failed in a way that must not happen; it goes back to its queue"
        )]
        public static partial void Unexpected(ILogger logger, Uri endpoint, Exception reason);
    }
}

/// <summary>Tells the transport to give the message back to the broker.</summary>
internal sealed class MessageReturnedException(Exception reason) : Exception("The message goes back to its queue.", reason);
