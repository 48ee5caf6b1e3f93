using MassTransit;

namespace Dispatcher.Dispatching;

/// <summary>Dispatches the jobs that <see cref="DispatchPolicyFilter"/> has evaluated, one pool after another.</summary>
internal sealed class DispatchConsumer(PoolDispatch dispatch) : IConsumer<EvaluatedBacklogs>
{
    public async Task Consume(ConsumeContext<EvaluatedBacklogs> context)
    {
        await foreach (var backlog in context.Message.Evaluated)
        {
            await dispatch.DispatchAsync(backlog, context.CancellationToken);
        }
    }
}
