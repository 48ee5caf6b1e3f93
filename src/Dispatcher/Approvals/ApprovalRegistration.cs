using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Persistence;
using Dispatcher.Storage;
using MassTransit;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Approvals;

/// <summary>Registers the parts of approvals. The saga is behind a mediator and has no queue: see <see cref="CastVote"/>.</summary>
internal static class ApprovalRegistration
{
    /// <summary>
    /// Retries of a vote after a concurrent change. The row lock orders votes; a cancel or the sweep may still commit first.
    /// </summary>
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
