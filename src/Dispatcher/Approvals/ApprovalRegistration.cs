using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Persistence;
using Dispatcher.Storage;
using MassTransit;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Approvals;

/// <summary>Puts approvals into the container. The saga has a mediator and no queue: see <see cref="CastVote"/>.</summary>
internal static class ApprovalRegistration
{
    /// <summary>Votes on one job come one after the other; these are for a cancel or the sweep that was first.</summary>
    private const int Retries = 5;

    public static void AddApprovals(this IServiceCollection services)
    {
        services.AddSingleton<VoteClock>();
        services.AddSingleton<Approvers>();
        services.AddSingleton<Reevaluation>();
        services.AddSingleton<RefusedVotes>();
        services.AddSingleton<Voting>();
        services.AddSingleton<ApprovalReads>();
        services.AddScoped<VoteRecording>();
        services.AddMediator(mediator =>
        {
            mediator.AddSagaStateMachine<ApprovalSaga, Approval>().PersistedBy<Approval, DispatcherDb>();
            mediator.ConfigureMediator(
                (_, configure) =>
                    configure.UseMessageRetry(retry =>
                    {
                        retry.Handle<DbUpdateConcurrencyException>();
                        retry.Immediate(Retries);
                    })
            );
        });
    }
}
