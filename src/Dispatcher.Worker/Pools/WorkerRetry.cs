using Polly;
using Polly.Retry;

namespace Dispatcher.Worker.Pools;

/// <summary>The one way this worker tries again: until cancelled, waiting 0.2 s to 5 s with jitter, so that a fleet does not come back in step. Reports the first failure of each call.</summary>
internal static class WorkerRetry
{
    public static ResiliencePipeline UntilSuccess(TimeProvider clock, Action<Exception> onFailure, Func<Exception, bool>? mayPass = null) =>
        new ResiliencePipelineBuilder { TimeProvider = clock }
            .AddRetry(
                new RetryStrategyOptions
                {
                    // Every exception unless told otherwise, since a timed-out request is an OperationCanceledException too; only the caller's own token ends it.
                    ShouldHandle = args =>
                        ValueTask.FromResult(
                            args.Outcome.Exception is { } fault
                                && mayPass?.Invoke(fault) != false
                                && !args.Context.CancellationToken.IsCancellationRequested
                        ),
                    MaxRetryAttempts = int.MaxValue,
                    BackoffType = DelayBackoffType.Exponential,
                    Delay = TimeSpan.FromMilliseconds(200),
                    MaxDelay = TimeSpan.FromSeconds(5),
                    UseJitter = true,
                    OnRetry = args =>
                    {
                        // What is away fails alike every few seconds; the first failure says what there is to say.
                        if (args.AttemptNumber == 0)
                        {
                            onFailure(args.Outcome.Exception!);
                        }

                        return ValueTask.CompletedTask;
                    },
                }
            )
            .Build();
}
