namespace Dispatcher.JourneyTests.Staging;

/// <summary>
/// The table of broker rights in <c>ops/README.md</c>, read as it stands there, so that journeys run with exactly these rights.
/// </summary>
internal static class BrokerRoles
{
    public const string Server = "server";
    public const string Producer = "producer `<user>`";
    public const string MassTransitProducer = "producer by MassTransit `<user>`";
    public const string Worker = "worker of `<pool>`";
    public const string Owner = "dead-letter owner `<owner>`";
    public const string Subscriber = "event subscriber `<user>`";
    public const string Monitoring = "monitoring (tag `monitoring`)";

    private const string Head = "| role | configure | write | read | topic exchange | topic write | topic read |";

    /// <summary>The roles of the table, in order.</summary>
    public static IEnumerable<string> All => Rows().Select(row => row[0]);

    /// <summary>Makes a broker user with the rights of a role and nothing else. The values replace the names in angle brackets.</summary>
    public static async Task MakeUserAsync(string vhost, string user, string role, params (string Name, string Value)[] values)
    {
        var cells = Rows().Single(row => row[0] == role)[1..].Select(cell => Filled(cell, values)).ToArray();
        await Servers.MakeUserAsync(vhost, user, cells[0], cells[1], cells[2]);
        if (cells[3].Length > 0)
        {
            await Servers.LimitTopicsAsync(vhost, user, cells[3], cells[4], cells[5]);
        }
    }

    private static string[][] Rows() =>
        [
            .. Readme
                .Text()
                .Split('\n')
                .SkipWhile(line => line != Head)
                .Skip(2)
                .TakeWhile(line => line.StartsWith('|'))
                .Select(line => line.Replace("\\|", "\u0001", StringComparison.Ordinal).Trim('|').Split('|'))
                .Select(cells => cells.Select(cell => cell.Trim().Replace('\u0001', '|')).ToArray()),
        ];

    private static string Filled(string cell, (string Name, string Value)[] values)
    {
        var filled = values.Aggregate(
            cell.Trim('`'),
            (text, value) => text.Replace($"<{value.Name}>", value.Value, StringComparison.Ordinal)
        );
        Assert.False(
            filled.Contains('<', StringComparison.Ordinal),
            $"\"{cell}\" of ops/README.md has a name that the test does not fill in."
        );
        return filled;
    }
}
