using MassTransit;

namespace Dispatcher.Dispatching;

/// <summary>Dispatches the jobs of one pool that <see cref="DispatchPolicyFilter"/> has evaluated.</summary>
internal sealed class DispatchConsumer(PoolDispatch dispatch) : IConsumer<EvaluatedBacklog>
{
    public Task Consume(ConsumeContext<EvaluatedBacklog> context) => dispatch.DispatchAsync(context.Message, context.CancellationToken);
}
