namespace Dispatcher.Base;

/// <summary>Ids of log events, one range for each feature. An id is never reused. <c>EventIds.approved.txt</c> has the list.</summary>
internal static class EventIds
{
    // 1000 hosting
    public const int LoopFailing = 1001;
    public const int LoopRecovered = 1002;
    public const int LoopStoreUnavailable = 1003;
    public const int Listening = 1004;
    public const int Decided = 1005;
    public const int CertificateLoaded = 1010;
    public const int CertificateUnusable = 1011;
    public const int CertificateExpires = 1012;
    public const int PlainText = 1013;

    // 1050 processes
    public const int ProcessRowLeft = 1050;

    // 1100 storing
    public const int StoreUnavailable = 1100;
    public const int ClockOff = 1101;
    public const int Migrated = 1102;
    public const int StoreBack = 1103;
    public const int StoreNewer = 1104;

    // 1200 topology and messaging
    public const int TopologyDeclared = 1200;
    public const int BrokerAway = 1201;
    public const int UnexpectedFault = 1202;
    public const int MessageWaits = 1203;
    public const int ParkedAgain = 1204;
    public const int TopologyLost = 1205;
    public const int TopologyWrong = 1206;
    public const int TopologyRight = 1207;
    public const int UnroutedTaken = 1208;
    public const int ConsumingPaused = 1209;
    public const int ConsumingResumed = 1210;
    public const int UndeliveredForeign = 1211;
    public const int NewerVersionDelayed = 1212;
    public const int NewerVersionRefused = 1213;
    public const int NewerVersionFull = 1214;
    public const int NewerVersionAgain = 1215;

    // 1220 connections
    public const int BrokerLimitHigh = 1220;
    public const int MessageUnreceivable = 1221;

    // 2000 intake
    public const int Refused = 2000;
    public const int OwnMessageDropped = 2001;
    public const int JobIdTaken = 2020;

    // 2100 evaluating
    public const int BundleLoaded = 2100;
    public const int BundleBroken = 2101;
    public const int PolicyFolderBroken = 2102;
    public const int PolicyFolderOutdated = 2103;
    public const int PolicyFolderPinned = 2104;
    public const int PolicyFolderValid = 2105;
    public const int BundlePinned = 2106;
    public const int BundleUnpinned = 2107;
    public const int BundleContradicted = 2110;

    // 2150 approvals
    public const int ApprovalForged = 2150;

    // 2200 dispatching
    public const int DispatchUnreadable = 2200;
    public const int SignalNotSent = 2201;
    public const int PoolJobsWait = 2202;
    public const int PoolJobsResumed = 2203;
    public const int DispatchContradicted = 2210;
    public const int PermitForged = 2211;

    // 2300 workers
    public const int WorkerKnown = 2300;
    public const int WorkerRefused = 2301;
    public const int SharedCredential = 2302;
    public const int WorkersTooMany = 2310;
    public const int WorkerDropping = 2311;
    public const int WorkerClockOff = 2312;

    // 2400 recovering
    public const int OutcomeLate = 2401;
    public const int OutcomeUnknown = 2402;
    public const int OutcomeUnreadable = 2410;
    public const int OutcomeNotStorable = 2411;

    // 2500 sweeping
    public const int SweepRepaired = 2501;
    public const int SweepFailed = 2502;

    // 2600 relaying
    public const int SendFailed = 2600;
    public const int RelayFailed = 2601;
    public const int ReplyFailed = 2603;
    public const int BrokerBack = 2604;

    // 2700 keys
    public const int AdminKeyReplaced = 2700;
    public const int AdminKeyRetired = 2701;

    // 2710 events
    public const int EventsLost = 2710;

    // 2900 sealing
    public const int HistoryDoubted = 2900;
    public const int SealingLeft = 2901;
}
