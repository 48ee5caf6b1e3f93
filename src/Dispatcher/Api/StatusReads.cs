using Dispatcher.Audit.Sealing;
using Dispatcher.Base;
using Dispatcher.Broker;
using Dispatcher.Dispatching;
using Dispatcher.Enforcement;
using Dispatcher.Storage;
using Dispatcher.Web;

namespace Dispatcher.Api;

/// <summary>Reads the status of the server: what this process knows, and what the store holds.</summary>
internal sealed class StatusReads(
    Readiness readiness,
    CurrentBundle current,
    StatusFigures figures,
    ProcessRegister processes,
    WorkerProblems workers,
    Freezes freezes,
    StoreClock clock,
    Sealer sealer,
    TimeProvider time,
    RabbitTopology? topology = null,
    RabbitConnection? broker = null,
    BrokerLimit? brokerLimit = null,
    HttpCertificate? certificate = null
)
{
    /// <summary>A due job is repaired within seconds. A job that is due for longer shows that no server sweeps.</summary>
    private static readonly TimeSpan MaxDue = TimeSpan.FromMinutes(1);

    /// <param name="isFull">Whether the caller may see the reasons of checks, hosts and owners.</param>
    /// <param name="cancellationToken">Cancels the reading.</param>
    public async Task<StatusView> ReadAsync(bool isFull, CancellationToken cancellationToken)
    {
        var frozen = await freezes.InForceAsync(cancellationToken);
        var live = await workers.ReadAsync(cancellationToken);
        var status = OfProcess(isFull) with
        {
            Processes = await processes.ListAsync(cancellationToken),
            Workers = new(live.Live, live.Serving),
        };
        var counts = await CountsAsync(cancellationToken);
        var now = Timestamps.At(clock.Now);
        status = counts is null ? status : With(status, counts, now);
        return Shown(
            isFull,
            status with
            {
                Problems = StatusProblems.Of(status, now, brokerLimit?.Warning, [.. frozen.Select(FreezeTarget.Of)]),
                Warnings =
                [
                    .. frozen.Select(freeze =>
                        $"The dispatch of {FreezeTarget.Of(freeze).Words} is frozen {FreezeEndpoints.Terms(freeze)}"
                    ),
                    .. OfProcessWarnings(),
                    .. Due(status.OldestDueAt, now),
                    .. counts is null ? (string[])["Jobs, outbox and pools are unknown, because their counts took too long."] : [],
                ],
            },
            live.Problems
        );
    }

    /// <summary>Null: they took too long, although the database answers.</summary>
    private async Task<StatusCounts?> CountsAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await figures.ReadAsync(cancellationToken);
        }
        catch (OperationCanceledException) when (readiness.ShortChecks["store"] == "ok")
        {
            return null;
        }
    }

    private static StatusView With(StatusView status, StatusCounts counts, DateTimeOffset now) =>
        status with
        {
            PolicyActivatedAt = Timestamps.At(counts.Store.BundleActivatedAt),
            Jobs = counts.Jobs.ToDictionary(state => WireNames.Of(state.Key), state => state.Value),
            OldestDueAt = Timestamps.At(counts.Store.OldestDueAt),
            Outbox = new(counts.Store.Outbox.Waiting, counts.Store.Outbox.Parked, Timestamps.At(counts.Store.Outbox.OldestAt)),
            Pools = counts.Pools,
            Approvals = new(counts.Store.Approvals.Count, Timestamps.At(counts.Store.Approvals.OldestAt)),
            DeadLetters = counts.Store.DeadLetters.ToDictionary(owner => owner.Owner, owner => Of(owner, now), StringComparer.Ordinal),
        };

    /// <summary>What this process knows while the database is unavailable.</summary>
    public StatusView WithoutStore(bool isFull)
    {
        var status = OfProcess(isFull);
        var problems = StatusProblems.Of(status, Timestamps.At(clock.Now), brokerLimit?.Warning);
        return Shown(
            isFull,
            status with
            {
                // The check of the store fails some seconds later.
                Problems =
                    status.Checks["store"] == "ok" ? [new("DispatcherNotReady", "The database does not answer"), .. problems] : problems,
                Warnings = [.. OfProcessWarnings(), "Jobs, outbox and pools are unknown, because the database is unavailable."],
            }
        );
    }

    private StatusView OfProcess(bool isFull) =>
        new(StatusEndpoints.Version, readiness.IsReady, isFull ? readiness.Checks : readiness.ShortChecks, current.InForce.Hash)
        {
            PinnedBy = current.InForce.PinnedBy,
            Queues = topology?.Queues,
            Unrouted = topology?.Unrouted,
            BrokerAlarm = broker?.Blocked,
            ClockOffsetSeconds = Math.Round(clock.Offset.TotalSeconds, 3),
            UnsealedSeconds = Math.Round(sealer.Lag.TotalSeconds, 1),
            CertificateExpiresAt = certificate?.ExpiresAt,
        };

    private IEnumerable<string> OfProcessWarnings()
    {
        if (topology?.PoolsWithoutQueue is { Count: > 0 } missing)
        {
            yield return "Pools of the policy in force without a queue on the broker: "
                + $"{string.Join(", ", missing)}. Their jobs wait until the server has declared it.";
        }

        if (certificate is not null && certificate.ExpiresAt - time.GetUtcNow() < HttpCertificate.ExpiryWarning)
        {
            yield return $"The certificate of HTTPS expires at {certificate.ExpiresAt:u}. Replace its two files; no restart is needed.";
        }
    }

    private static IEnumerable<string> Due(DateTimeOffset? oldest, DateTimeOffset now)
    {
        if (now - oldest > MaxDue)
        {
            yield return $"A job has been due since {oldest:u}, and no server repairs it: the log of each server has the reason.";
        }
    }

    private static OwnerDeadLetters Of(OwnersDeadLetters owner, DateTimeOffset now)
    {
        var oldest = Timestamps.At(owner.OldestAt);
        return new(owner.Count, owner.New, oldest, now - oldest > AlertLimits.DeadLetterAge);
    }

    /// <summary>The problems stay, so that every key sees the same exit code. Hosts, owners, queues and workers do not.</summary>
    /// <param name="isFull">Whether the caller may see all.</param>
    /// <param name="status">The whole status.</param>
    /// <param name="ofWorkers">Warnings that name workers.</param>
    internal static StatusView Shown(bool isFull, StatusView status, IReadOnlyList<string>? ofWorkers = null) =>
        isFull
            ? status with
            {
                Warnings = [.. status.Warnings, .. ofWorkers ?? []],
            }
            : status with
            {
                Processes = null,
                Queues = null,
                DeadLetters = null,
                Problems = [.. status.Problems.Select(problem => problem with { Problem = problem.Alert })],
            };
}
