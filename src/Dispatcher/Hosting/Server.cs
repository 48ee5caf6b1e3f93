using System.Text.Json;
using System.Text.Json.Serialization;
using Dispatcher.Api;
using Dispatcher.Approvals;
using Dispatcher.Audit.Gates;
using Dispatcher.Audit.Sealing;
using Dispatcher.Base;
using Dispatcher.Broker;
using Dispatcher.Dispatching;
using Dispatcher.Embedded;
using Dispatcher.Enforcement;
using Dispatcher.Intake;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Recovery;
using Dispatcher.Storage;
using Dispatcher.Web;
using Microsoft.Extensions.Options;

namespace Dispatcher.Hosting;

/// <summary>
/// Puts the server together. The way of a job, in the order it takes it:
/// <para>(0) <see cref="PolicyFolder"/> and <see cref="CurrentBundle"/>: which policy is in force.</para>
/// <para>(1) <see cref="SubmissionReader"/> reads a submission, from <see cref="IntakePolicyFilter"/> (AMQP) or <see cref="JobEndpoints"/> (HTTP); <see cref="Refusals"/> keeps what cannot be read.</para>
/// <para>(2) <see cref="PolicyGate"/> asks the policy, for the first time.</para>
/// <para>(3) <see cref="JobIntake"/> and <see cref="IntakeWriter"/> store the job, its timeline and its messages in one commit; <see cref="Relay"/> sends them.</para>
/// <para>(4) It stands in a line (<see cref="PoolBacklog"/>) until its pool has room (<see cref="PoolCapacity"/>); <see cref="DispatchPolicyFilter"/> reads it back and asks the policy again.</para>
/// <para>(4) What needs people waits as an <see cref="Approval"/>: <see cref="Voting"/> takes votes, <see cref="ApprovalSaga"/> counts them, <see cref="ApprovalUse"/> tells at dispatch whether they still stand.</para>
/// <para>(5) <see cref="JobDispatch"/> moves it to its pool with a permit; every move from here on goes through <see cref="MoveWriter"/>.</para>
/// <para>(6) A worker (project Dispatcher.Worker) claims the attempt at <see cref="AttemptClaims"/>, acks and runs it.</para>
/// <para>(7) (8) <see cref="OutcomeConsumer"/> and <see cref="JobRecovery"/> take the outcome; <see cref="RecoveryPolicy"/> decides what follows a fault, <see cref="RecoveryMoves"/> makes the move.</para>
/// <para>(9) <see cref="Sweep"/> and <see cref="OutboxSweeper"/> repair whatever was forgotten on the way.</para>
/// <para>Behind all of it, <see cref="Sealer"/> numbers and links every line that was written.</para>
/// </summary>
internal static class Server
{
    public static WebApplication Build(ServerSettings settings)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.WebHost.UseUrls(settings.Urls);

        // Large enough for every request; two endpoints set their own limit. Bodies are parsed in memory.
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = RawMessage.MaxBody);
        builder.Services.AddSerilog(settings.LogLevel, settings.LogWriter);
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(settings);
        AddOptions(builder, settings);
        AddFeatures(builder.Services);
        AddStartOrder(builder.Services, settings);
        AddHttp(builder.Services);
        var app = builder.Build();
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
        services.AddSingleton<JobEvents>();
        services.AddSingleton<Permits>();
        services.AddSingleton<PoolBacklog>();
        AddMoveSubscriber<PoolCapacity>(services);
        services.AddSingleton<PoolLeases>();
        services.AddSingleton<Contradictions>();
        services.AddSingleton<JobDispatch>();
        services.AddSingleton<ApprovedJobs>();
        services.AddSingleton<AttemptClaims>();
        services.AddSingleton<LeaseExtension>();
        services.AddSingleton<WorkerRegister>();
        services.AddSingleton<WorkerTroubles>();
        services.AddSingleton<JobRecovery>();
        services.AddApprovals();
        services.AddSingleton<JobReads>();
        services.AddSingleton<JobCancel>();
        services.AddSingleton<Readiness>();
        services.AddSingleton<DispatcherMetrics>();
        services.AddMetricsExposition();
        services.AddSingleton<ProcessRegister>();
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
        AddHosted<ApprovalWaitMetrics>(services);
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
        routes.MapApprovals();
        routes.MapDeadLetters();
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
