using System.CommandLine;
using Dispatcher.Benchmarks.Children;

namespace Dispatcher.Benchmarks.Verbs;

/// <summary>The hidden verb <c>child</c>: what a benchmark starts as a process of its own, so that its CPU can be measured.</summary>
internal static class ChildVerb
{
    private static readonly Option<Uri> RabbitMq = Address("--rabbitmq");
    private static readonly Option<Uri> Url = Address("--url");
    private static readonly Option<string> Key = new("--key") { Required = true };
    private static readonly Option<string> Postgres = new("--postgres") { Required = true };
    private static readonly Option<int?> Concurrency = new("--concurrency");
    private static readonly Option<int> Topics = new("--topics");
    private static readonly Option<bool> Effect = new("--effect");
    private static readonly Option<bool> Events = new("--events");

    public static Command Create()
    {
        var limit = new Command("limit") { RabbitMq, Postgres, Effect, Events };
        limit.SetAction(
            (call, token) =>
                LimitChild.RunAsync(
                    new LimitSettings(call.GetValue(RabbitMq)!, call.GetValue(Postgres)!, call.GetValue(Effect), call.GetValue(Events)),
                    token
                )
        );
        var massTransit = new Command("masstransit") { RabbitMq, Events };
        massTransit.SetAction((call, token) => MassTransitChild.RunAsync(call.GetValue(RabbitMq)!, call.GetValue(Events), token));
        var worker = new Command("worker") { RabbitMq, Url, Key, Postgres, Concurrency, Topics, Effect };
        worker.SetAction((call, token) => WorkerChild.RunAsync(SettingsOf(call), token));
        return new Command("child") { Hidden = true, Subcommands = { limit, massTransit, worker } };
    }

    private static Option<Uri> Address(string name) =>
        new(name) { Required = true, CustomParser = argument => new Uri(argument.Tokens[0].Value) };

    private static WorkerSettings SettingsOf(ParseResult call) =>
        new(
            call.GetValue(RabbitMq)!,
            call.GetValue(Url)!,
            call.GetValue(Key)!,
            call.GetValue(Postgres)!,
            call.GetValue(Concurrency),
            call.GetValue(Topics),
            call.GetValue(Effect)
        );
}
