namespace Dispatcher.ReferenceWorker.Processes;

/// <summary>Event ids of the reference worker's log, 6700 to 6799. An id is never reused.</summary>
internal static class ReferenceWorkerEventIds
{
    public const int ProcessesRemain = 6700;
    public const int SupervisorLost = 6701;
    public const int ProgramFailed = 6702;
    public const int SupervisorDiscarded = 6703;
}
