namespace Dispatcher.Persistence.Settings;

/// <summary>Event ids of the log lines of this library, 7000 to 7999. An id is never reused.</summary>
internal static class PersistenceEventIds
{
    public const int LateSend = 7000;
    public const int LeftInTable = 7001;
    public const int SendFailed = 7002;
    public const int Parked = 7003;
    public const int NotRemoved = 7004;
    public const int LoopFailing = 7005;
    public const int LoopRecovered = 7006;
}
