using Dispatcher.Base;
using MassTransit;

namespace Dispatcher.Broker;

/// <summary>
/// The last filter of an endpoint's error pipe. Consumers answer faults of the input themselves, so an exception here is a bug, or the
/// process is stopping. The message is returned to its queue after a pause, and the delivery limit of the queue parks it in the end.
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
            "A message from {Endpoint} failed with an unexpected exception; it is returned to its queue"
        )]
        public static partial void Unexpected(ILogger logger, Uri endpoint, Exception reason);
    }
}

/// <summary>Makes the transport return the message to the broker.</summary>
internal sealed class MessageReturnedException(Exception reason) : Exception("The message is returned to its queue.", reason);
