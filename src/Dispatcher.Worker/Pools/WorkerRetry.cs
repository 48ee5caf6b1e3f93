using Polly;
using Polly.Retry;

namespace Dispatcher.Worker.Pools;

/// <summary>
/// The retry of this worker: until success or cancellation, with pauses of 0.2 s to 5 s and jitter, so that many workers do not return
/// at the same moment. Reports the first failure of each call.
/// </summary>
internal static class WorkerRetry
{
    public static ResiliencePipeline UntilSuccess(
        TimeProvider clock,
        Action<Exception> onFirstFailure,
        Func<Exception, bool>? isRetried = null
    ) =>
        new ResiliencePipelineBuilder { TimeProvider = clock }
            .AddRetry(
                new RetryStrategyOptions
                {
                    // Every exception by default: a timed-out request is an OperationCanceledException too. Only the caller's token ends
                    // the retry.
                    ShouldHandle = args =>
                        ValueTask.FromResult(
                            args.Outcome.Exception is { } fault
                                && isRetried?.Invoke(fault) != false
                                && !args.Context.CancellationToken.IsCancellationRequested
                        ),
                    MaxRetryAttempts = int.MaxValue,
                    BackoffType = DelayBackoffType.Exponential,
                    Delay = TimeSpan.FromMilliseconds(200),
                    MaxDelay = TimeSpan.FromSeconds(5),
                    UseJitter = true,
                    OnRetry = args =>
                    {
                        // An unavailable server fails the same way every few seconds, so only the first failure is reported.
                        if (args.AttemptNumber == 0)
                        {
                            onFirstFailure(args.Outcome.Exception!);
                        }

                        return ValueTask.CompletedTask;
                    },
                }
            )
            .Build();
}
