using System.Globalization;
using System.Text.RegularExpressions;
using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>The exchanges and queues that <c>src/Dispatcher.Contracts/README.md</c> lists.</summary>
public sealed partial class MessagesPageJourneys
{
    /// <summary>The broker refuses to declare one that is there with another type or with other arguments, and the client throws.</summary>
    [Fact]
    public async Task Page_lists_exchanges_and_queues_as_the_server_declares_them()
    {
        await using var journey = await Journey.BeginAsync();
        await journey.DispatcherAsync();
        var page = await File.ReadAllTextAsync(Path.Combine(Readme.Root, "src", "Dispatcher.Contracts", "README.md"), Now);
        var (exchanges, queues) = (ExchangeRow().Matches(page), QueueRow().Matches(page));
        Assert.Equal((6, 2), (exchanges.Count, queues.Count));
        var known = (await Servers.ExchangesAsync(journey.Name)).ToList();
        await using var connection = await journey.ConnectAsync("dispatcher");
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Now);

        foreach (
            var (name, type, arguments) in exchanges.Select(row =>
                (row.Groups[1].Value, row.Groups[2].Value, Arguments(row.Groups[3].Value))
            )
        )
        {
            Assert.Contains(name, known);
            await channel.ExchangeDeclareAsync(name, type, durable: true, autoDelete: false, arguments, cancellationToken: Now);
        }

        foreach (
            var (name, arguments) in queues.Select(row =>
                (row.Groups[1].Value.Replace("<pool>", "test", StringComparison.Ordinal), Arguments(row.Groups[2].Value))
            )
        )
        {
            Assert.Contains(name, await Servers.QueuesAsync(journey.Name));
            await channel.QueueDeclareAsync(name, durable: true, exclusive: false, autoDelete: false, arguments, cancellationToken: Now);
        }

        Assert.All(
            known.Where(name =>
                name.StartsWith("dispatcher.", StringComparison.Ordinal) && !name.StartsWith("dispatcher.server.", StringComparison.Ordinal)
            ),
            name => Assert.Contains(name, exchanges.Select(row => row.Groups[1].Value))
        );
        await journey.EndsWellAsync();
    }

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    private static Dictionary<string, object?> Arguments(string cell) =>
        Argument()
            .Matches(cell)
            .ToDictionary(
                match => match.Groups[1].Value,
                match =>
                    int.TryParse(match.Groups[2].Value, CultureInfo.InvariantCulture, out var number)
                        ? number
                        : (object?)match.Groups[2].Value
            );

    [GeneratedRegex(@"^\| `(dispatcher\.[^`]+)` \| (\w+) \|([^|]*)\|", RegexOptions.Multiline)]
    private static partial Regex ExchangeRow();

    [GeneratedRegex(@"^\| queue `([^`]+)` \| ([^|]*) \|", RegexOptions.Multiline)]
    private static partial Regex QueueRow();

    [GeneratedRegex(@"`([a-z-]+)` = `?([^`,]+)`?")]
    private static partial Regex Argument();
}
