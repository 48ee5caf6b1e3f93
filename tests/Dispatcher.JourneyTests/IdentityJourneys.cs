using System.Text.Json;
using System.Text.Json.Nodes;
using Dispatcher.Contracts;
using Dispatcher.JourneyTests.Staging;
using Npgsql;
using RabbitMQ.Client;

namespace Dispatcher.JourneyTests;

/// <summary>
/// What the identities of <c>dispatcher identity create</c> can and cannot do. The broker or the database refuses, not the code of
/// Dispatcher.
/// </summary>
public sealed class IdentityJourneys
{
    private const ushort AccessRefused = 403;

    /// <summary>The code with which the broker refuses the <c>user_id</c> of another user.</summary>
    private const ushort PreconditionFailed = 406;

    /// <summary>One stage for all lists, because its programs take most of the time.</summary>
    [Fact]
    public async Task A_job_runs_through_and_each_identity_is_refused_what_it_must_not()
    {
        await using var stage = await IdentityStage.BeginAsync();
        await stage.ServeAsync();
        await stage.WorkAsync();
        await stage.CreateAsync("producer", "--kind", "producer", "--topic", "job.repo.*");
        await stage.CreateAsync("other", "--kind", "producer", "--topic", "job.test.careful");

        await JobRunsAsync(stage);

        await WorkerMustNotAsync(stage);
        await ProducerMustNotAsync(stage);
        await ServerRoleMustNotAsync(stage);
        await EffectRoleMustNotAsync(stage);
    }

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    private static async Task JobRunsAsync(IdentityStage stage)
    {
        await using var connection = await stage.ConnectAsync("producer");
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Now);
        var user = stage.Named("producer");
        var replies = $"reply.{user}.1";
        await channel.QueueDeclareAsync(replies, exclusive: true, cancellationToken: Now);
        var job = AJob.On("job.repo.read").With(new JsonObject { ["repo"] = "demo", ["op"] = "log" });

        await channel.BasicPublishAsync(
            Exchanges.Jobs,
            job.Topic,
            mandatory: true,
            job.Parcel().Properties(user, replies),
            job.Body(),
            Now
        );

        var answers = new List<string>();
        await Eventually.IsAsync(
            async () =>
            {
                if (await channel.BasicGetAsync(replies, autoAck: true, Now) is { } answer)
                {
                    Assert.Equal(stage.Named("server"), answer.BasicProperties.UserId);
                    answers.Add(JsonSerializer.Deserialize<JsonElement>(answer.Body.Span).GetProperty("state").GetString()!);
                }

                return answers.Contains("succeeded");
            },
            () => $"the job succeeds; answers: {string.Join(", ", answers)}\n{stage.Journey.Logs()}",
            TimeSpan.FromSeconds(40)
        );
    }

    private static async Task WorkerMustNotAsync(IdentityStage stage)
    {
        await using var connection = await stage.ConnectAsync("worker");
        await RefusedAsync(
            connection,
            AccessRefused,
            [
                ("read the queue of another pool", BrokerProbe.Read(Queues.Work("test"))),
                ("read the queue of dispatch signals", BrokerProbe.Read("dispatcher.server.dispatch")),
                ("read the queue of outcomes", BrokerProbe.Read("dispatcher.server.outcomes")),
                ("read the queue of submissions", BrokerProbe.Read("dispatcher.server.intake")),
                ("submit a job", BrokerProbe.Publish(Exchanges.Jobs, "job.repo.read")),
                ("publish through the default exchange", BrokerProbe.Publish("", Queues.Work("test"))),
                ("publish through the default exchange to its own queue", BrokerProbe.Publish("", Queues.Work("repo"))),
            ]
        );
        await RefusedAsync(
            connection,
            PreconditionFailed,
            [("publish as another user", BrokerProbe.PublishAs(stage.Named("producer"), Exchanges.Outcomes, ""))]
        );
        Assert.Equal(
            [$"publish to {Exchanges.Outcomes}", $"purge queue {Queues.Work("repo")}", $"read queue {Queues.Work("repo")}"],
            (await BrokerProbe.GrantedAsync(stage.Journey.Name, connection, stage.Named("worker"), [])).Order(StringComparer.Ordinal)
        );
    }

    private static async Task ProducerMustNotAsync(IdentityStage stage)
    {
        await using var others = await stage.ConnectAsync("other");
        await using var channel = await others.CreateChannelAsync(cancellationToken: Now);
        var foreign = $"reply.{stage.Named("other")}.1";
        await channel.QueueDeclareAsync(foreign, exclusive: false, autoDelete: true, cancellationToken: Now);
        await using var connection = await stage.ConnectAsync("producer");
        await RefusedAsync(
            connection,
            AccessRefused,
            [
                ("publish a topic of another", BrokerProbe.Publish(Exchanges.Jobs, "job.test.careful")),
                ("publish a topic below its own", BrokerProbe.Publish(Exchanges.Jobs, "job.repo.read.all")),
                ("publish a topic above its own", BrokerProbe.Publish(Exchanges.Jobs, "job.repo")),
                ("publish a topic with a line break", BrokerProbe.Publish(Exchanges.Jobs, "job.repo.read\n")),
                ("publish with an empty key", BrokerProbe.Publish(Exchanges.Jobs, "")),
                ("publish through the default exchange", BrokerProbe.Publish("", "dispatcher.server.intake")),
                ("report an outcome", BrokerProbe.Publish(Exchanges.Outcomes, "")),
                ("read the answers of another", BrokerProbe.Read(foreign)),
                ("read the queue of a pool", BrokerProbe.Read(Queues.Work("repo"))),
                ("read the queue of submissions", BrokerProbe.Read("dispatcher.server.intake")),
            ]
        );
        await RefusedAsync(
            connection,
            PreconditionFailed,
            [("publish as another user", BrokerProbe.PublishAs(stage.Named("other"), Exchanges.Jobs, "job.repo.read"))]
        );
        Assert.Empty(await BrokerProbe.GrantedAsync(stage.Journey.Name, connection, stage.Named("producer"), []));
    }

    private static async Task ServerRoleMustNotAsync(IdentityStage stage)
    {
        await using var database = await stage.DatabaseAsync("server", "postgres");
        await RefusedAsync(
            database,
            "update timeline set actor = 'x'",
            "delete from timeline",
            "truncate timeline",
            "update jobs set topic = 'x'",
            "delete from jobs",
            "create table mine (id int)",
            "create schema mine",
            "alter table jobs add column mine int",
            "alter table timeline disable trigger all",
            "drop table jobs",
            "create role mine",
            "select * from effects_repo.dispatcher_effects"
        );
        await AllowedAsync(database, "select count(*) from timeline");
    }

    private static async Task EffectRoleMustNotAsync(IdentityStage stage)
    {
        await using var database = await stage.DatabaseAsync("worker", "effects");
        await RefusedAsync(
            database,
            "select * from public.jobs",
            "select * from public.timeline",
            "select * from public.api_keys",
            "select * from public.permit_keys",
            "insert into public.jobs (job_id) values (gen_random_uuid())",
            "create table mine (id int)",
            "create table public.mine (id int)",
            "create schema mine",
            "drop table dispatcher_effects",
            "alter table dispatcher_effects add column mine int",
            "truncate dispatcher_effects"
        );
        await AllowedAsync(database, "insert into dispatcher_effect_fences values ('x', 1); delete from dispatcher_effect_fences");
    }

    private static async Task RefusedAsync(IConnection connection, ushort code, (string What, Func<IChannel, Task> Action)[] actions)
    {
        foreach (var (what, action) in actions)
        {
            var refusal = await BrokerProbe.RefusalAsync(connection, action);
            Assert.True(
                refusal == code,
                $"\"{what}\" ended with {refusal?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "success"}"
            );
        }
    }

    private static async Task RefusedAsync(NpgsqlDataSource database, params string[] statements)
    {
        foreach (var statement in statements)
        {
            await using var command = database.CreateCommand(statement);
            var refused = await Record.ExceptionAsync(() => command.ExecuteNonQueryAsync(Now)) as PostgresException;
            Assert.True(
                refused?.SqlState == PostgresErrorCodes.InsufficientPrivilege
                    && !refused.Message.Contains("append-only", StringComparison.Ordinal),
                $"\"{statement}\" ended with: {refused?.Message ?? "no fault"}"
            );
        }
    }

    private static async Task AllowedAsync(NpgsqlDataSource database, string statement)
    {
        await using var command = database.CreateCommand(statement);
        await command.ExecuteNonQueryAsync(Now);
    }
}
