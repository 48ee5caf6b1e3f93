using System.Reflection;
using Dispatcher.Base;
using Dispatcher.Broker;
using Dispatcher.Contracts;
using Dispatcher.Hosting;
using Dispatcher.UnitTests.Architecture;
using Microsoft.AspNetCore.Authorization;

namespace Dispatcher.UnitTests.Hosting;

/// <summary>Names that others rely on. A change breaks clients, dashboards or running brokers, so it must be intended.</summary>
public sealed class ApprovedNamesTests
{
    [Fact]
    public async Task HTTP_routes_match_the_approved_list()
    {
        await using var server = Server.Build(Settings(rabbitMq: null));

        Approved.Matches("Hosting/Routes", Routes(server));
    }

    [Fact]
    public async Task Server_on_RabbitMQ_has_the_same_routes()
    {
        await using var embedded = Server.Build(Settings(rabbitMq: null));
        await using var real = Server.Build(Settings("amqp://user:password@127.0.0.1:1/"));

        Assert.Equal(Routes(embedded), Routes(real));
    }

    [Fact]
    public void Names_and_arguments_on_the_broker_match_the_approved_list() =>
        Approved.Matches(
            "Broker/Broker",
            [
                .. Constants(typeof(Exchanges)).Select(name => $"exchange {name.Value}"),
                $"exchange {QueueNames.Retry}",
                $"exchange {QueueNames.Migrating}",
                .. Constants(typeof(QueueNames))
                    .Select(name => name.Value)
                    .Except([QueueNames.Retry, QueueNames.Migrating])
                    .Concat(
                        QueueNames.Sources.SelectMany(source => new[] { QueueNames.Parked(source.Queue), QueueNames.Poison(source.Queue) })
                    )
                    .Append(Queues.Work("<pool>"))
                    .Concat(QueueNames.DelayQueues.Select(delay => delay.Queue))
                    .Concat(QueueNames.SourcesOfNewer.Select(QueueNames.Newer))
                    .Append(QueueNames.Holding(QueueNames.Intake))
                    .SelectMany(queue =>
                        QueueNames
                            .Arguments((string)queue)
                            .OrderBy(argument => argument.Key, StringComparer.Ordinal)
                            .Select(argument => $"    {argument.Key} = {argument.Value}")
                            .Prepend($"queue {queue}")
                    ),
                .. QueueNames.Sources.Select(source => $"binding {source.Queue} to {source.Exchange} with \"{source.RoutingKey}\""),
                .. QueueNames.Retired.Select(retired => $"no binding {retired.Queue} to {retired.Exchange} with \"{retired.RoutingKey}\""),
                .. Constants(typeof(Headers)).Select(name => $"header {name.Value}"),
                .. Constants(typeof(MessageTypes)).Select(name => $"type {name.Value}"),
            ]
        );

    [Fact]
    public void Log_event_ids_match_the_approved_list()
    {
        var ids = Constants(typeof(EventIds)).Select(id => (Id: (int)id.Value, id.Name)).OrderBy(id => id.Id).ToList();

        Assert.Distinct(ids.Select(id => id.Id));
        Approved.Matches("Hosting/EventIds", ids.Select(id => $"{id.Id} {id.Name}"));
    }

    [Fact]
    public void Log_event_ids_are_unique()
    {
        var sources = string.Concat(Repository.SourceFiles("src/Dispatcher").Select(file => file.Text));

        foreach (var (name, _) in Constants(typeof(EventIds)))
        {
            Assert.True(sources.Split($"[LoggerMessage(EventIds.{name},").Length <= 2, $"{name} is the id of two log events.");
        }
    }

    /// <summary>The section is read from the code that binds the options; an options class that is not bound has none.</summary>
    [Fact]
    public void Option_keys_and_defaults_match_the_approved_list() =>
        Approved.Matches("Hosting/Options", OptionsClasses.All().OrderBy(type => type.Name, StringComparer.Ordinal).SelectMany(Keys));

    private static IEnumerable<string> Keys(Type type)
    {
        var bound = $"AddOptions<{type.Name}>().BindConfiguration(\"";
        var section = Repository
            .SourceFiles("src")
            .Select(file => file.Text.Split(bound))
            .FirstOrDefault(parts => parts.Length > 1)
            ?[1].Split('"')[0];
        yield return $"{type.Name}: {(section is null ? "set by code" : $"section {section}")}";
        var defaults = Activator.CreateInstance(type);
        foreach (
            var property in type.GetProperties()
                .Where(property => property.CanWrite || property.PropertyType.IsGenericType)
                .OrderBy(property => property.Name, StringComparer.Ordinal)
        )
        {
            yield return $"    {property.Name} = {Text(property, defaults)}";
        }
    }

    private static string Text(PropertyInfo property, object? options) =>
        property.Name switch
        {
            // Different on every machine.
            "Concurrency" => "(twice the cores)",
            "Instance" => "(host/pid/random)",
            _ => property.GetValue(options) switch
            {
                null => "(none)",
                string text => text,
                System.Collections.IEnumerable many => $"[{string.Join(", ", many.Cast<object>().Order())}]",
                var value => value.ToString()!,
            },
        };

    private static List<string> Routes(WebApplication server) =>
        [
            .. from endpoint in ((IEndpointRouteBuilder)server).DataSources.SelectMany(source => source.Endpoints).OfType<RouteEndpoint>()
            from method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? ["*"]
            let policies = endpoint.Metadata.GetOrderedMetadata<IAuthorizeData>().Select(data => data.Policy)
            let line = $"{method} {endpoint.RoutePattern.RawText}: {(policies.Any() ? string.Join(" and ", policies) : "no key")}"
            orderby line.Split(' ')[1], line
            select line,
        ];

    private static IEnumerable<(string Name, object Value)> Constants(Type type) =>
        type.GetFields(BindingFlags.Public | BindingFlags.Static)
            .Where(field => field.IsLiteral)
            .Select(field => (field.Name, field.GetRawConstantValue()!));

    private static ServerSettings Settings(string? rabbitMq) =>
        new()
        {
            RabbitMq = rabbitMq,
            Postgres = rabbitMq is null ? null : "Host=127.0.0.1;Port=1",
            DataFolder = rabbitMq is null ? Path.Combine(Path.GetTempPath(), "never-opened") : null,
            PolicyFolder = "policies",
            Urls = "http://127.0.0.1:0",
            Worker = false,
        };
}
