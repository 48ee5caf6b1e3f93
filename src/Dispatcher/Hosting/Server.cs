using System.Text.Json;
using System.Text.Json.Serialization;
using Dispatcher.Api;
using Dispatcher.Approvals;
using Dispatcher.Audit.Gates;
using Dispatcher.Audit.Sealing;
using Dispatcher.Base;
using Dispatcher.Dispatching;
using Dispatcher.Embedded;
using Dispatcher.Enforcement;
using Dispatcher.Intake;
using Dispatcher.Outbox;
using Dispatcher.Recovery;
using Dispatcher.Storage;
using Dispatcher.Web;
using Microsoft.Extensions.Options;

namespace Dispatcher.Hosting;

/// <summary>
/// Builds the server from its parts. The main path of a job has these steps; each is marked <c>// :: Step n</c> where it runs:
/// <para>(0) <see cref="PolicyFolder"/> activates a bundle, and <see cref="CurrentBundle"/> keeps the one in force.</para>
/// <para>
/// Intake (<see cref="JobIntake"/>), called by <see cref="IntakePolicyFilter"/> and <see cref="IntakeConsumer"/> (AMQP) and by
/// <see cref="JobEndpoints"/> (HTTP):
/// </para>
/// <para>(1) <see cref="SubmissionReader"/> reads a submission; <see cref="Refusals"/> keeps one that cannot be read.</para>
/// <para>(2) <see cref="PolicyGate"/> evaluates the policy for the first time.</para>
/// <para>(3) <see cref="IntakeWriter"/> stores the job, its timeline and its messages in one commit; <see cref="Relay"/> sends them.</para>
/// <para>
/// Approval, if the policy requires one: the job is held. <see cref="Voting"/> takes votes, <see cref="ApprovalSaga"/> counts them, and
/// <see cref="ApprovalUse"/> checks at dispatch whether they still count.
/// </para>
/// <para>
/// Dispatch (<see cref="PoolDispatch"/>), called by <see cref="DispatchPolicyFilter"/> and <see cref="DispatchConsumer"/>:
/// </para>
/// <para>
/// (4) <see cref="PoolLeases"/> leases the pool and reads its next jobs from the <see cref="PoolBacklog"/>, as many as
/// <see cref="PoolCapacity"/> has free slots for.
/// </para>
/// <para>(5) <see cref="PolicyGate"/> evaluates them again with the bundle in force now.</para>
/// <para>
/// (6) <see cref="JobDispatch"/> moves each to its pool with a permit. Every move from here on goes through <see cref="MoveWriter"/>.
/// </para>
/// <para>Run:</para>
/// <para>(7) A worker (project Dispatcher.Worker) claims the attempt at <see cref="AttemptClaims"/>, acks and runs it.</para>
/// <para>
/// (8) <see cref="OutcomeConsumer"/> and <see cref="JobRecovery"/> take the outcome. <see cref="RecoveryPolicy"/> decides what follows a
/// fault, and <see cref="RecoveryMoves"/> makes the move.
/// </para>
/// <para>(9) <see cref="Sweep"/> and <see cref="OutboxSweeper"/> repair what a lost message or a stopped process left undone.</para>
/// <para>Beside the path, <see cref="Sealer"/> numbers and links every timeline entry that was written.</para>
/// </summary>
internal static class Server
{
    public static WebApplication Build(ServerSettings settings)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.AddHttpEndpoints(settings);
        builder.Services.AddSerilog(settings);
        builder.Services.AddTraceExport();
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(settings);
        AddOptions(builder, settings);
        AddFeatures(builder.Services);
        AddStartOrder(builder.Services, settings);
        AddHttp(builder.Services);
        var app = builder.Build();
        PlainText.Warn(settings, app.Logger);
        MapHttp(app, settings);
        return app;
    }

    private static void AddOptions(WebApplicationBuilder builder, ServerSettings settings)
    {
        builder.Services.AddOptions<IntakeOptions>().BindConfiguration("Intake").ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<IntakeOptions>, IntakeOptionsValidator>();
        builder.Services.AddOptions<DispatchOptions>().BindConfiguration("Dispatch").ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<DispatchOptions>, DispatchOptionsValidator>();
        builder.Services.AddOptions<EventOptions>().BindConfiguration("Events").ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<EventOptions>, EventOptionsValidator>();
        builder.Services.AddOptions<PolicyFolderOptions>().Configure(options => options.Path = settings.PolicyFolder).ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<PolicyFolderOptions>, PolicyFolderOptionsValidator>();
    }

    private static void AddFeatures(IServiceCollection services)
    {
        services.AddApiKeys();
        services.AddSingleton<SubmissionReader>();
        services.AddSingleton<BundleActivation>();
        services.AddSingleton<StoredBundles>();
        services.AddSingleton<StoredDecisions>();
        services.AddSingleton<PolicyGate>();
        services.AddSingleton<JobIntake>();
        AddMoveSubscriber<FinalReplies>(services);
        AddMoveSubscriber<MoveMetrics>(services);
        AddMoveSubscriber<HoldSpans>(services);
        services.AddSingleton<JobEvents>();
        services.AddSingleton<Permits>();
        services.AddSingleton<PoolBacklog>();
        services.AddSingleton<Freezes>();
        AddMoveSubscriber<LiveJobs>(services);
        AddMoveSubscriber<PoolCapacity>(services);
        services.AddSingleton<PoolLeases>();
        services.AddSingleton<Contradictions>();
        services.AddSingleton<JobDispatch>();
        services.AddSingleton<PoolDispatch>();
        services.AddSingleton<ApprovedJobs>();
        services.AddSingleton<AttemptClaims>();
        services.AddSingleton<LeaseExtension>();
        services.AddSingleton<WorkerRegister>();
        services.AddSingleton<WorkerProblems>();
        services.AddSingleton<JobRecovery>();
        services.AddApprovals();
        services.AddSingleton<JobReads>();
        services.AddSingleton<JobCancel>();
        services.AddSingleton<IncidentFigures>();
        services.AddSingleton<Readiness>();
        services.AddSingleton<DispatcherMetrics>();
        services.AddSingleton<JobMetrics>();
        services.AddSingleton<StoreMetrics>();
        services.AddMetricsExposition();
        services.AddSingleton<ProcessRegister>();
        services.AddSingleton<StatusFigures>();
        services.AddSingleton<StatusReads>();
        services.AddSingleton(provider => AuditFolder.Open(provider.GetRequiredService<ServerSettings>()));
        services.AddSingleton<SealTable>();
        services.AddSingleton<Checkpoints>();
        services.AddSingleton<GateQueries>();
    }

    /// <summary>
    /// Hosted services start in this order and stop in reverse: services that others need first, services that accept work last.
    /// </summary>
    private static void AddStartOrder(IServiceCollection services, ServerSettings settings)
    {
        if (settings.IsEmbedded)
        {
            services.AddSqliteStore(EmbeddedFiles.Database(settings.DataFolder!));
        }
        else
        {
            services.AddPostgresStore(settings.Postgres!);
        }

        services.AddHostedService<StoreStart>();
        if (settings.IsEmbedded)
        {
            services.AddHostedService<EmbeddedStart>();
        }

        AddHosted<StoreClock>(services);
        services.AddHostedService<AdminKey>();
        services.AddTopology(settings);
        AddHosted<CurrentBundle>(services);
        AddHosted<PolicyFolder>(services);
        AddHosted<ProcessBeat>(services);
        AddHosted<Sealer>(services);
        AddHosted<Relay>(services);
        AddHosted<DispatchSignals>(services);
        services.AddSingleton<IMoveSubscriber>(provider => provider.GetRequiredService<DispatchSignals>());
        AddHosted<IntakeWriter>(services);
        AddHosted<MoveWriter>(services);
        AddHosted<Refusals>(services);
        services.AddMessaging(settings);
        services.AddEmbeddedWorker(settings);
        AddHosted<OutboxSweeper>(services);
        AddHosted<Sweep>(services);
        AddHosted<StoreMonitor>(services);
        AddHosted<PoolMonitor>(services);
        AddHosted<GateMetrics>(services);
    }

    private static void AddMoveSubscriber<T>(IServiceCollection services)
        where T : class, IMoveSubscriber
    {
        services.AddSingleton<T>();
        services.AddSingleton<IMoveSubscriber>(provider => provider.GetRequiredService<T>());
    }

    private static void AddHosted<T>(IServiceCollection services)
        where T : class, IHostedService
    {
        services.AddSingleton<T>();
        services.AddHostedService(provider => provider.GetRequiredService<T>());
    }

    private static void AddHttp(IServiceCollection services)
    {
        services.AddProblemDetails();
        services.AddExceptionHandler<ProblemExceptionHandler>();
        services.Configure<RouteHandlerOptions>(routes => routes.ThrowOnBadRequest = true);
        services.AddOpenApi();
        services.AddAnonymousRateLimits();
        services.ConfigureHttpJsonOptions(json =>
        {
            json.SerializerOptions.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower;
            json.SerializerOptions.UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow;
            json.SerializerOptions.RespectNullableAnnotations = true;
        });
    }

    private static void MapHttp(WebApplication app, ServerSettings settings)
    {
        app.UseExceptionHandler();
        app.UseStatusCodePages(ProblemExceptionHandler.PageAsync);
        app.UseGateFallback();
        app.UseRateLimiter();
        app.UseAuthentication();
        app.UseAuthorization();
        app.MapOpenApi(AnonymousRateLimits.OpenApiRoute);
        var routes = app.WithQueryParameterCheck();
        routes.MapJobs();
        routes.MapAttempts();
        routes.MapWorkers();
        routes.MapFreezes();
        routes.MapApprovals();
        routes.MapDeadLetters();
        routes.MapIncidents();
        routes.MapKeys();
        routes.MapPolicies();
        routes.MapExplanations();
        routes.MapAudit();
        routes.MapStatus();
        routes.MapGates();
        app.MapMetrics();
        routes.MapEvents();
    }
}
