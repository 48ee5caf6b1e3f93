using Dispatcher.Contracts;
using Dispatcher.Worker.Pools;
using Microsoft.Extensions.Logging;
using Polly;

namespace Dispatcher.Worker.Claiming;

/// <summary>A delivery whose permit fits its body, before it is claimed.</summary>
internal sealed record Candidate(Delivery Delivery, PermitClaims Claims, WorkMessage Message);

/// <summary>Claims a batch of candidates in one request, which it repeats until the dispatcher answers.</summary>
internal sealed partial class ClaimClient
{
    private readonly ResiliencePipeline _untilAnswered;
    private readonly PoolParts _parts;

    public ClaimClient(PoolParts parts)
    {
        _parts = parts;
        var log = parts.Logs.CreateLogger<ClaimClient>();
        _untilAnswered = WorkerRetry.UntilSuccess(parts.Clock, exception => Log.Unreachable(log, exception.Message));
    }

    /// <summary>One claim for each candidate, in order. Null: the pool stopped before the dispatcher answered.</summary>
    public async Task<IReadOnlyList<Claim>?> ClaimAsync(List<Candidate> batch, CancellationToken stopping)
    {
        IReadOnlyList<Claim>? claims = null;
        var request = new ClaimRequest
        {
            ClaimId = Guid.CreateVersion7(_parts.Clock.GetUtcNow()),
            Worker = _parts.Options.Instance,
            // Not null: a delivery without a permit never becomes a candidate.
            Permits = [.. batch.Select(candidate => candidate.Delivery.Permit!)],
        };
        try
        {
            // The stop does not cancel a request under way: a claim that is granted unseen would block its job until its lease expires.
            await _untilAnswered.ExecuteAsync(async _ => claims = await SendAsync(request, CancellationToken.None), stopping);
        }
#pragma warning disable CA1031 // Only the stop ends the retries, after any kind of failure.
        catch (Exception) when (stopping.IsCancellationRequested)
#pragma warning restore CA1031
        {
            return null;
        }

        return claims;
    }

    private async Task<IReadOnlyList<Claim>> SendAsync(ClaimRequest request, CancellationToken cancellationToken)
    {
        var claims = (await _parts.Transport.ClaimAsync(request, cancellationToken)).Claims;
        return claims.Count == request.Permits.Count && claims.All(claim => claim.Status != ClaimStatus.Granted || claim.RunId is not null)
            ? claims
            : throw new InvalidDataException(
                $"The dispatcher answered {claims.Count} claims to {request.Permits.Count} permits, or granted one without a run_id."
            );
    }

    private static partial class Log
    {
        [LoggerMessage(WorkerEventIds.ClaimUnreachable, LogLevel.Warning, "Cannot claim; retrying ({Error})")]
        public static partial void Unreachable(ILogger logger, string error);
    }
}
