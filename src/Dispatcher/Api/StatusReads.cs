using Dispatcher.Audit.Sealing;
using Dispatcher.Base;
using Dispatcher.Broker;
using Dispatcher.Dispatching;
using Dispatcher.Enforcement;
using Dispatcher.Storage;
using Dispatcher.Web;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Api;

/// <summary>Reads the status of the server: what this process knows, and what the store holds.</summary>
internal sealed class StatusReads(
    Readiness readiness,
    CurrentBundle current,
    StoreMonitor monitor,
    ProcessRegister processes,
    PoolMonitor pools,
    WorkerProblems workers,
    Freezes freezes,
    StoreClock clock,
    Sealer sealer,
    TimeProvider time,
    IDbContextFactory<DispatcherDb> database,
    RabbitTopology? topology = null,
    RabbitConnection? broker = null,
    BrokerLimit? brokerLimit = null,
    HttpCertificate? certificate = null
)
{
    /// <summary>A due job is repaired within seconds. A job that is due for longer shows that no server sweeps.</summary>
    private static readonly TimeSpan MaxDue = TimeSpan.FromMinutes(1);

    /// <summary>How long an ended job is counted.</summary>
    private static readonly TimeSpan Ended = TimeSpan.FromHours(1);

    /// <param name="isFull">Whether the caller may see the reasons of checks, hosts and owners.</param>
    /// <param name="cancellationToken">Cancels the reading.</param>
    public async Task<StatusView> ReadAsync(bool isFull, CancellationToken cancellationToken)
    {
        var frozen = await freezes.InForceAsync(cancellationToken);
        var live = await workers.ReadAsync(cancellationToken);
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var figures = await monitor.FiguresAsync(db, cancellationToken);
        var jobs = await StoreFigures.JobsAsync(db, clock.Now - Timestamps.Micros(Ended), cancellationToken);
        var now = Timestamps.At(clock.Now);
        var status = OfProcess(isFull) with
        {
            PolicyActivatedAt = Timestamps.At(figures.BundleActivatedAt),
            Processes = await processes.ListAsync(cancellationToken),
            Jobs = jobs.ToDictionary(state => WireNames.Of(state.Key), state => state.Value),
            OldestDueAt = Timestamps.At(figures.OldestDueAt),
            Outbox = new(figures.Outbox.Waiting, figures.Outbox.Parked, Timestamps.At(figures.Outbox.OldestAt)),
            Pools = await pools.ReadAsync(cancellationToken),
            Workers = new(live.Live, live.Serving),
            Approvals = new(figures.Approvals.Count, Timestamps.At(figures.Approvals.OldestAt)),
            DeadLetters = figures.DeadLetters.ToDictionary(owner => owner.Owner, owner => Of(owner, now), StringComparer.Ordinal),
        };
        return Shown(
            isFull,
            status with
            {
                Problems = StatusProblems.Of(status, now, brokerLimit?.Warning),
                Warnings =
                [
                    .. frozen.Select(freeze =>
                        $"The dispatch of {FreezeTarget.Of(freeze).Words} is frozen {FreezeEndpoints.Terms(freeze)}"
                    ),
                    .. OfProcessWarnings(),
                    .. Due(status.OldestDueAt, now),
                    .. live.Problems,
                ],
            }
        );
    }

    /// <summary>What this process knows while the database is unavailable.</summary>
    public StatusView WithoutStore(bool isFull)
    {
        var status = OfProcess(isFull);
        var problems = StatusProblems.Of(status, Timestamps.At(clock.Now), brokerLimit?.Warning);
        return status with
        {
            // The check of the store fails some seconds later.
            Problems = status.Checks["store"] == "ok" ? [new("DispatcherNotReady", "The database does not answer"), .. problems] : problems,
            Warnings = [.. OfProcessWarnings(), "Jobs, outbox and pools are unknown, because the database is unavailable."],
        };
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

    /// <summary>The problems stay, so that every key sees the same exit code.</summary>
    private static StatusView Shown(bool isFull, StatusView status) =>
        isFull
            ? status
            : status with
            {
                Processes = null,
                DeadLetters = null,
                Problems = [.. status.Problems.Select(problem => problem with { Problem = problem.Alert })],
            };
}
