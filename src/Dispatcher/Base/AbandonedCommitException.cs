namespace Dispatcher.Base;

/// <summary>The caller, or the whole process, stopped waiting for a commit.</summary>
/// <param name="mayBeCommitted">False: the item was not committed and will not be. True: it is unknown.</param>
internal sealed class AbandonedCommitException(bool mayBeCommitted)
    : OperationCanceledException(mayBeCommitted ? "It is unknown whether the item was committed." : "The item was not committed.")
{
    public bool MayBeCommitted => mayBeCommitted;
}
