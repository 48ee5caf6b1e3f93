using System.Globalization;
using Dispatcher.Base;
using Dispatcher.Dispatching;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Api;

/// <summary>Something for an operator. For each, an alert fires if it lasts. One of severity <c>info</c> can wait.</summary>
/// <param name="Alert">The name of the alert in <c>ops/telemetry/alerts.yaml</c>.</param>
/// <param name="Problem">What is wrong, in one sentence.</param>
/// <param name="Since">When it began. Null: not known.</param>
internal sealed record StatusProblem(string Alert, string Problem, DateTimeOffset? Since = null)
{
    /// <summary>The severity of the alert: <c>critical</c>, <c>warning</c> or <c>info</c>.</summary>
    public string Severity =>
        Alert switch
        {
            "DispatcherDown"
            or "DispatcherTopologyWrong"
            or "DispatcherNoBundle"
            or "DispatcherPoolWithoutWorkers"
            or "DispatcherOutboxOld"
            or "DispatcherBrokerAlarm" => "critical",
            "DispatcherDeadLettersOld" => "info",
            _ => "warning",
        };

    /// <summary>The entry of the runbook, with the file.</summary>
    public string Runbook => $"ops/runbook.md#{Alert.ToLowerInvariant()}";
}

/// <summary>Finds the problems in a status. Pure.</summary>
internal static class StatusProblems
{
    /// <summary>
    /// Alerts that are no problem of the status: a rate or a percentile needs a history, which Prometheus has; and no server knows whether
    /// another one is ready.
    /// </summary>
    public static readonly IReadOnlyList<string> OnlyAlerts =
    [
        "DispatcherNoServerReady",
        "DispatcherFaultRateHigh",
        "DispatcherSweepRepairsHigh",
        "DispatcherIntakeSlow",
        "DispatcherMessagesUnreceivable",
        "DispatcherMessagesNewerVersion",
    ];

    /// <summary>A process writes every 2 s which bundle it uses. Before this time it may not have noticed an activation.</summary>
    private static readonly TimeSpan ActivationTime = TimeSpan.FromSeconds(10);

    /// <param name="status">The status. What is null in it is not checked.</param>
    /// <param name="now">By the database's clock.</param>
    /// <param name="acceptsLargeMessages">The warning of <c>BrokerLimit</c>. Null: none.</param>
    /// <param name="frozen">What is frozen. A pool that waits on purpose is no problem.</param>
    public static IReadOnlyList<StatusProblem> Of(
        StatusView status,
        DateTimeOffset now,
        string? acceptsLargeMessages = null,
        IReadOnlyCollection<FreezeTarget>? frozen = null
    ) =>
        [
            .. OfChecks(status),
            .. OfProcesses(status, now),
            .. OfPools(status.Pools ?? new Dictionary<string, PoolView>(), now, frozen ?? []),
            .. OfOutbox(status.Outbox, now),
            .. OfBroker(status, acceptsLargeMessages),
            .. OfPeople(status, now),
        ];

    private static IEnumerable<StatusProblem> OfChecks(StatusView status)
    {
        foreach (var (check, result) in status.Checks.Where(check => check.Value != "ok"))
        {
            yield return new(
                check switch
                {
                    "bundle" => "DispatcherNoBundle",
                    "topology" => "DispatcherTopologyWrong",
                    "policy_folder" => "DispatcherPolicyFolderBroken",
                    "sealing" => "DispatcherSealingStuck",
                    _ => "DispatcherNotReady",
                },
                $"The check {check} fails: {result}"
            );
        }

        if (Math.Abs(status.ClockOffsetSeconds) > AlertLimits.ClockOffset.TotalSeconds)
        {
            yield return new(
                "DispatcherClockOff",
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"The clock of this machine is {Math.Abs(status.ClockOffsetSeconds):F1} s "
                        + $"{(status.ClockOffsetSeconds < 0 ? "ahead of" : "behind")} that of the database"
                )
            );
        }

        if (status.UnsealedSeconds > AlertLimits.UnsealedLag.TotalSeconds && status.Checks.GetValueOrDefault("sealing") == "ok")
        {
            yield return new("DispatcherSealingStuck", $"Entries have not been sealed for {status.UnsealedSeconds:F0} s");
        }
    }

    private static IEnumerable<StatusProblem> OfProcesses(StatusView status, DateTimeOffset now)
    {
        foreach (var process in Lost(status.Processes ?? []))
        {
            yield return new("DispatcherDown", $"Server {process.Name} does not write any more that it runs", process.SeenAt);
        }

        foreach (var process in (status.Processes ?? []).Where(process => !process.Stale))
        {
            if (process.PolicyHash != status.PolicyHash && process.SeenAt - status.PolicyActivatedAt > ActivationTime)
            {
                yield return new(
                    "DispatcherBundlesDiffer",
                    $"Server {process.Name} uses the bundle {ShortHash(process.PolicyHash)}, this server {ShortHash(status.PolicyHash)}",
                    status.PolicyActivatedAt
                );
            }
            else if (process.FolderErrors > 0 && status.Checks.GetValueOrDefault("policy_folder") == "ok")
            {
                yield return new("DispatcherPolicyFolderBroken", $"The policy folder of {process.Name} has {process.FolderErrors} errors");
            }
        }
    }

    /// <summary>
    /// Servers that ended without a later start in their place. A start on the same host replaces all earlier servers of that host. Any
    /// other start replaces one server: the last that ended before. The row of a lost server stays for a day.
    /// </summary>
    private static List<ProcessView> Lost(IReadOnlyList<ProcessView> all)
    {
        var lost = new List<ProcessView>();
        foreach (var started in all.OrderBy(process => process.StartedAt))
        {
            var isRestart = lost.RemoveAll(ended => ended.Host == started.Host && ended.SeenAt < started.StartedAt) > 0;
            if (!isRestart && lost.Where(ended => ended.SeenAt < started.StartedAt).MaxBy(ended => ended.SeenAt) is { } replaced)
            {
                lost.Remove(replaced);
            }

            if (started.Stale)
            {
                lost.Add(started);
            }
        }

        return lost;
    }

    private static IEnumerable<StatusProblem> OfPools(
        IReadOnlyDictionary<string, PoolView> pools,
        DateTimeOffset now,
        IReadOnlyCollection<FreezeTarget> frozen
    )
    {
        foreach (var (pool, view) in pools)
        {
            if (view is { Waiting: > 0, Capacity: 0 })
            {
                yield return new("DispatcherPoolWithoutWorkers", $"Pool {pool} has {view.Waiting} jobs and no worker");
            }

            var isFrozen = frozen.Any(target => target.Kind == FreezeKinds.All || target == new FreezeTarget(FreezeKinds.Pool, pool));
            if (!isFrozen && Timestamps.At(view.OldestReadyAt) is { } ready && now - ready > AlertLimits.BacklogAge)
            {
                yield return new("DispatcherBacklogOld", $"The first job of pool {pool} waits, and {view.Waiting - 1} others", ready);
            }

            if (view.Limit is { } limit)
            {
                yield return new("DispatcherCircuitBreakerOpen", $"The circuit breaker limits pool {pool} to {limit} attempts at once");
            }
        }
    }

    private static IEnumerable<StatusProblem> OfOutbox(OutboxView? outbox, DateTimeOffset now)
    {
        if (outbox is { OldestAt: { } oldest } && now - oldest > AlertLimits.OutboxAge)
        {
            yield return new("DispatcherOutboxOld", $"Messages are not sent: {outbox.Waiting} wait in the outbox", oldest);
        }

        if (outbox is { Parked: > 0 })
        {
            yield return new("DispatcherOutboxParked", $"{outbox.Parked} messages of the outbox are parked: the server does not send them");
        }
    }

    private static IEnumerable<StatusProblem> OfBroker(StatusView status, string? acceptsLargeMessages)
    {
        if (status.BrokerAlarm is { } alarm)
        {
            yield return new(
                "DispatcherBrokerAlarm",
                $"The broker accepts no messages ({alarm}). Work, events and answers wait in the outbox until its alarm ends"
            );
        }

        if (acceptsLargeMessages is not null)
        {
            yield return new("DispatcherBrokerAcceptsLargeMessages", acceptsLargeMessages.TrimEnd('.'));
        }

        if (status.Unrouted is { Waiting: > 0 })
        {
            yield return new("DispatcherUnroutedWaiting", $"{status.Unrouted.Waiting} messages wait in dispatcher.unrouted");
        }

        if (status.Unrouted is { Undelivered: > 0 })
        {
            yield return new(
                "DispatcherCopiesUndelivered",
                $"{status.Unrouted.Undelivered} copies of dead letters have no queue of their owner"
            );
        }
    }

    private static IEnumerable<StatusProblem> OfPeople(StatusView status, DateTimeOffset now)
    {
        foreach (var (owner, letters) in status.DeadLetters ?? new Dictionary<string, OwnerDeadLetters>())
        {
            if (letters.New > 0)
            {
                yield return new("DispatcherDeadLettersNew", $"{letters.New} new dead letters of owner {owner}");
            }

            if (letters.Breach)
            {
                yield return new(
                    "DispatcherDeadLettersOld",
                    $"Owner {owner} has {letters.Open} open dead letters, and the oldest waits too long",
                    letters.OldestAt
                );
            }
        }

        if (status.Approvals is { OldestAt: { } first } approvals && now - first > AlertLimits.ApprovalWait)
        {
            yield return new(
                "DispatcherApprovalsWaitLong",
                $"{approvals.Waiting} jobs wait for an approval, and the first for too long",
                first
            );
        }
    }

    private static string ShortHash(string hash) => hash.Length == 0 ? "(none)" : hash[..Math.Min(12, hash.Length)];
}
