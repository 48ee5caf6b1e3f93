namespace Dispatcher.Base;

/// <summary>A caller, or the whole process, stopped waiting for a commit.</summary>
/// <param name="mayBeCommitted">False: nothing was committed, and nothing will be. True: that is unknown.</param>
internal sealed class AbandonedCommitException(bool mayBeCommitted)
    : OperationCanceledException(mayBeCommitted ? "It is unknown whether the item was committed." : "The item was not committed.")
{
    public bool MayBeCommitted => mayBeCommitted;
}
