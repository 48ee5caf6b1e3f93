using Dispatcher.Benchmarks.Contestants;
using Dispatcher.Worker;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Dispatcher.Benchmarks.Children;

/// <summary>A worker on the worker library, as an author would write it.</summary>
internal static class WorkerChild
{
    public static async Task RunAsync(WorkerSettings settings, CancellationToken cancellationToken)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.SetMinimumLevel(LogLevel.Warning).AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
        var worker = builder.Services.AddDispatcherWorker(
            BenchPolicies.Pool,
            options =>
            {
                options.RabbitMq = settings.RabbitMq;
                options.Dispatcher = settings.Server;
                options.ApiKey = settings.Key;
                options.Concurrency = settings.Concurrency ?? options.Concurrency;
                options.EffectStore = settings.Postgres;
                options.SharedCredential = true;
                options.StopGrace = TimeSpan.FromSeconds(1);
            }
        );
        for (var i = 0; i < settings.Topics; i++)
        {
            _ = settings.Effect ? worker.Handle<EffectHandler>(BenchPolicies.Topic(i)) : worker.Handle<NoOpHandler>(BenchPolicies.Topic(i));
        }

        if (settings.Effect)
        {
            await EffectHandler.PrepareAsync(settings.Postgres, cancellationToken);
        }

        using var host = builder.Build();
        await host.StartAsync(cancellationToken);
        await ChildProgram.AnswerAsync(() => 0, host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping);
        await host.StopAsync(CancellationToken.None);
    }
}

/// <param name="RabbitMq">The broker, as the worker's user.</param>
/// <param name="Server">The HTTP address of the server.</param>
/// <param name="Key">The worker's API key.</param>
/// <param name="Postgres">The effect store.</param>
/// <param name="Concurrency">Null: the default of the library.</param>
/// <param name="Topics">How many topics it handles.</param>
/// <param name="Effect">Whether each job has one effect.</param>
internal sealed record WorkerSettings(Uri RabbitMq, Uri Server, string Key, string Postgres, int? Concurrency, int Topics, bool Effect);

/// <summary>Does nothing, so that all that is measured is the product.</summary>
internal sealed class NoOpHandler : IJobHandler
{
    private static readonly JobResult Result = JobResult.From(new { ok = true });

    public Task<JobResult> RunAsync(JobRun run, CancellationToken cancellationToken) => Task.FromResult(Result);
}

/// <summary>Has one effect in the database of the effect store.</summary>
internal sealed class EffectHandler : IJobHandler
{
    private static readonly JobResult Result = JobResult.From(new { ok = true });

    public static async Task PrepareAsync(string postgres, CancellationToken cancellationToken)
    {
        await using var database = NpgsqlDataSource.Create(postgres + ";Pooling=false");
        await using var table = database.CreateCommand(
            "create table if not exists bench_effects (job_id uuid not null, attempt integer not null)"
        );
        await table.ExecuteNonQueryAsync(cancellationToken);
    }

    public async Task<JobResult> RunAsync(JobRun run, CancellationToken cancellationToken)
    {
        await run.Effects.OnceAsync(
            "row",
            async (connection, transaction, token) =>
            {
                await using var insert = new NpgsqlCommand(
                    "insert into bench_effects (job_id, attempt) values ($1, $2)",
                    (NpgsqlConnection)connection,
                    (NpgsqlTransaction)transaction
                );
                insert.Parameters.AddWithValue(run.JobId);
                insert.Parameters.AddWithValue(run.Attempt);
                return await insert.ExecuteNonQueryAsync(token);
            },
            cancellationToken
        );
        return Result;
    }
}
