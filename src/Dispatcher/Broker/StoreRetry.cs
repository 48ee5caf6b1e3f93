using Dispatcher.Base;
using MassTransit;
using Polly;
using Polly.Retry;

namespace Dispatcher.Broker;

/// <summary>
/// Holds a message while a dependency of it is unavailable, and runs its consumer again until that succeeds or the process stops. The
/// dependencies are the store, the bundle in force, and the delay queue of <see cref="NewerMessages"/>. The message is not at fault:
/// returned to the broker, it would reach the delivery limit of its queue within seconds and be parked. <see cref="StorePause"/> stops
/// consuming in a longer outage of the store.
/// </summary>
internal sealed partial class StoreRetry : IFilter<ConsumeContext>
{
    private static readonly TimeSpan MinPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan MaxPause = TimeSpan.FromSeconds(5);
    private static readonly ResiliencePropertyKey<Uri> Endpoint = new("endpoint");

    private readonly ILogger<StoreRetry> _logger;
    private readonly ResiliencePipeline _whileUnavailable;

    public StoreRetry(TimeProvider time, ILogger<StoreRetry> logger)
    {
        _logger = logger;
        _whileUnavailable = new ResiliencePipelineBuilder { TimeProvider = time }
            .AddRetry(
                new RetryStrategyOptions
                {
                    ShouldHandle = args => ValueTask.FromResult(IsUnavailable(args.Outcome.Exception)),
                    MaxRetryAttempts = int.MaxValue,
                    BackoffType = DelayBackoffType.Exponential,
                    Delay = MinPause,
                    MaxDelay = MaxPause,
                    OnRetry = Report,
                }
            )
            .Build();
    }

    public async Task Send(ConsumeContext context, IPipe<ConsumeContext> next)
    {
        var resilience = ResilienceContextPool.Shared.Get(context.CancellationToken);
        try
        {
            resilience.Properties.Set(Endpoint, context.ReceiveContext.InputAddress);
            await _whileUnavailable.ExecuteAsync(async _ => await SendOnceAsync(context, next), resilience);
        }
        finally
        {
            ResilienceContextPool.Shared.Return(resilience);
        }
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("storeWait");

    private static async Task SendOnceAsync(ConsumeContext context, IPipe<ConsumeContext> next)
    {
        try
        {
            await next.Send(context);
        }
        catch (Exception unavailable) when (IsUnavailable(unavailable) && context.CancellationToken.IsCancellationRequested)
        {
            // The process stops. LastResort logs every exception but this one as an error.
            throw new OperationCanceledException(context.CancellationToken);
        }
    }

    private static bool IsUnavailable(Exception? fault) =>
        fault is BundleUnavailableException or DelayUnavailableException || fault?.IsStoreUnavailable() == true;

    private ValueTask Report(OnRetryArguments<object> args)
    {
        // An outage of the whole store holds every message, and StoreHealth reports it once for all of them.
        if (args.Outcome.Exception is { } fault && !fault.IsOutage())
        {
            var endpoint = args.Context.Properties.GetValue(Endpoint, null!);
            Log.Waits(_logger, endpoint, args.RetryDelay, fault.Message);
        }

        return ValueTask.CompletedTask;
    }

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.MessageWaits,
            LogLevel.Warning,
            "A dependency of a message from {Endpoint} is unavailable; the message is held and retried in {Pause}: {Reason}"
        )]
        public static partial void Waits(ILogger logger, Uri endpoint, TimeSpan pause, string reason);
    }
}
