using Dispatcher.Jobs;

namespace Dispatcher.Outbox;

/// <summary>
/// Reacts to moves after their commit. <see cref="MoveWriter"/> calls every registered subscriber. A reaction is lost when the process dies
/// after the commit, so it must be one that the sweep or the next move repairs.
/// </summary>
internal interface IMoveSubscriber
{
    /// <summary>Must not block and must not throw: it runs before the callers of the writer get their results.</summary>
    void Committed(IReadOnlyList<Move> moves);
}
