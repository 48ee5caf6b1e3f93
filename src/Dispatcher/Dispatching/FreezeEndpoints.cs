using System.Globalization;
using System.Security.Claims;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Policies.Texts;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Dispatcher.Web;

namespace Dispatcher.Dispatching;

/// <summary><c>/api/freezes</c>, for operators: freeze, unfreeze, list.</summary>
internal static class FreezeEndpoints
{
    private const int MaxReasonLength = 500;
    private const string OneEnd = "Give \"for_s\" (seconds) or \"until\" (a time such as 2026-11-01T00:00:00Z), at most 7 days from now.";

    public static void MapFreezes(this IEndpointRouteBuilder routes)
    {
        var freezes = routes.MapGroup("/api/freezes").RequireAuthorization(Callers.Operators).WithTags("freezes");
        freezes.MapGet("", ListAsync).Produces<FreezesView>();
        freezes
            .MapPost("", FreezeAsync)
            .Produces<FreezeView>(StatusCodes.Status201Created)
            .ProducesProblem(StatusCodes.Status400BadRequest)
            .ProducesProblem(StatusCodes.Status409Conflict)
            .WithStoreTimeout();
        freezes
            .MapPost("/unfreeze", UnfreezeAsync)
            .Produces<FreezeView>()
            .ProducesProblem(StatusCodes.Status400BadRequest)
            .ProducesProblem(StatusCodes.Status409Conflict)
            .WithStoreTimeout();
    }

    private static async Task<IResult> ListAsync(Freezes freezes, CancellationToken cancellationToken)
    {
        var (inForce, past) = await freezes.ListAsync(cancellationToken);
        return Results.Ok(new FreezesView([.. inForce.Select(FreezeView.Of)], [.. past.Select(FreezeView.Of)]));
    }

    private static async Task<IResult> FreezeAsync(
        FreezeRequest request,
        ClaimsPrincipal caller,
        Freezes freezes,
        CurrentBundle current,
        StoreClock clock,
        CancellationToken cancellationToken
    )
    {
        var errors = new List<InputError>();
        var target = TargetOf(request, errors);
        CheckEnd(request, Timestamps.At(clock.Now), errors);
        if (target is not null)
        {
            if (target.Kind != FreezeKinds.All && current.InForce.Bundle is null)
            {
                return Problems.NotReady("No readable bundle is in force, so no topic or pool is known. Only everything can be frozen.");
            }

            CheckKnown(target, current.InForce, errors);
        }

        if (errors.Count > 0)
        {
            return Problems.Malformed(errors);
        }

        var order = new FreezeOrder(
            target!,
            request.Reason,
            caller.Subject(),
            request.Until,
            TimeSpan.FromSeconds(request.ForSeconds ?? 0)
        );
        var (freeze, isNew) = await freezes.BeginAsync(order, cancellationToken);
        return isNew
            ? Results.Created("/api/freezes", FreezeView.Of(freeze))
            : Problems.Conflict(
                $"The dispatch of {target!.Words} is frozen already, {Terms(freeze)}. To change it, end it first: "
                    + $"dispatcher unfreeze {target.Options} --reason \"...\""
            );
    }

    private static async Task<IResult> UnfreezeAsync(
        UnfreezeRequest request,
        ClaimsPrincipal caller,
        Freezes freezes,
        CancellationToken cancellationToken
    )
    {
        var errors = new List<InputError>();
        if (TargetOf(request, errors) is not { } target || errors.Count > 0)
        {
            return Problems.Malformed(errors);
        }

        if (await freezes.EndAsync(target, request.Reason, caller.Subject(), cancellationToken) is { } ended)
        {
            return Results.Ok(FreezeView.Of(ended));
        }

        var inForce = await freezes.InForceAsync(cancellationToken);
        var frozen = inForce.Count == 0 ? "nothing" : string.Join(", ", inForce.Select(freeze => FreezeTarget.Of(freeze).Words));
        return Problems.Conflict($"No freeze of {target.Words} is in force. Frozen: {frozen}.");
    }

    /// <summary>A freeze in one line, for status and errors.</summary>
    public static string Terms(Freeze freeze) =>
        $"by {freeze.Actor} since {Utc(freeze.Since)} until {Utc(freeze.Until)}: {InputErrors.Cut(freeze.Reason, MaxReasonLength)}";

    private static string Utc(long micros) => Timestamps.At(micros).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static FreezeTarget? TargetOf(FreezeTargetRequest request, List<InputError> errors)
    {
        errors.CheckReason(request.Reason, MaxReasonLength, "status and timeline show it");

        FreezeTarget?[] named =
        [
            request.Topic is null ? null : new FreezeTarget(FreezeKinds.Topic, request.Topic),
            request.Pool is null ? null : new FreezeTarget(FreezeKinds.Pool, request.Pool),
            request.All ? new FreezeTarget(FreezeKinds.All, "") : null,
        ];
        FreezeTarget[] targets = [.. named.OfType<FreezeTarget>()];
        if (targets.Length == 1)
        {
            return targets[0];
        }

        errors.Report(
            "one_target",
            "body",
            $"The body names {targets.Length} targets; exactly one is allowed.",
            "Give \"topic\", \"pool\" or \"all\": true."
        );
        return null;
    }

    /// <summary>Refuses a name that the bundle does not have: a misspelt one would freeze nothing.</summary>
    private static void CheckKnown(FreezeTarget target, KnownBundle inForce, List<InputError> errors)
    {
        var known = inForce.Bundle is { } bundle ? target.Known(bundle) : [""];
        if (!known.Contains(target.Name, StringComparer.Ordinal))
        {
            errors.Report(
                "unknown_" + target.Kind,
                "/" + target.Kind,
                $"The bundle in force has no {target.Kind} \"{InputErrors.Cut(target.Name)}\".",
                Nearest.To(target.Name, known) is { } nearest ? $"Did you mean \"{nearest}\"?" : $"It has: {string.Join(", ", known)}."
            );
        }
    }

    private static void CheckEnd(FreezeRequest request, DateTimeOffset now, List<InputError> errors)
    {
        if (request.ForSeconds is null == request.Until is null)
        {
            errors.Report("one_end", "body", $"The body has {(request.Until is null ? "no end" : "two ends")}.", OneEnd);
            return;
        }

        if (request.ForSeconds is { } seconds && (seconds < 1 || seconds > Freezes.MaxDuration.TotalSeconds))
        {
            errors.Report("bad_end", "/for_s", $"The duration is {seconds} s; allowed: 1 to 604,800 s.", OneEnd);
        }

        if (request.Until is { } until && (until <= now || until > now + Freezes.MaxDuration))
        {
            errors.Report("bad_end", "/until", $"The end is {until:O}; it is now {now:O} by the database's clock.", OneEnd);
        }
    }
}
