namespace Dispatcher.Worker.Pools;

/// <summary>Event ids of the worker's log: 6000 to 6999, with 6700 to 6799 for the reference worker. An id is never reused.</summary>
internal static class WorkerEventIds
{
    public const int Serving = 6000;
    public const int Stopping = 6001;
    public const int EffectStoreUnavailable = 6002;

    public const int RegistrationFailed = 6003;
    public const int EnforcersMissing = 6004;
    public const int ClockOff = 6005;
    public const int ClockRight = 6006;
    public const int RightsNotChecked = 6007;
    public const int NotAllowed = 6008;
    public const int RegistrationAnswered = 6009;

    public const int DeliveryDropped = 6100;
    public const int ClaimRefused = 6101;
    public const int ClaimUnreachable = 6102;
    public const int CopyDropped = 6104;
    public const int PoolFull = 6105;
    public const int DeliveriesUnusable = 6106;
    public const int ConsumingAgain = 6107;

    public const int RunEnded = 6200;
    public const int RunStopped = 6201;
    public const int HandlerAbandoned = 6202;
    public const int RunFailed = 6203;
    public const int RunUnreported = 6204;
    public const int RunNotStarted = 6205;

    public const int HeartbeatFailed = 6300;

    public const int OutcomesNotAccepted = 6400;
    public const int OutcomesLost = 6401;
    public const int OutcomeNotWritable = 6402;

    public const int Connected = 6500;
    public const int ConnectionLost = 6501;
    public const int PlainText = 6502;

    public const int EffectStoreLost = 6600;
}
