using System.Text.RegularExpressions;
using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>
/// Runs every shell block of the pages that users follow, from the repository's root and as it stands there. Only addresses and names in
/// angle brackets are replaced.
/// </summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed partial class ShellBlockJourneys
{
    private const string Rule = "README.md: A rule and its decision";
    private const string Demo = "README.md: Start";
    private const string RealShort = "README.md: Start 2";
    private const string Verbs = "README.md: Your first job";
    private const string Curl = "README.md: Your first job 2";
    private const string Tests = "README.md: Build and test";
    private const string Embedded = "ops/README.md: Embedded";
    private const string Real = "ops/README.md: With RabbitMQ and PostgreSQL";
    private const string Users = "ops/README.md: Identities";
    private const string Certificates = "ops/README.md: TLS";
    private const string ServeTls = "ops/README.md: TLS 2";
    private const string CallTls = "ops/README.md: TLS 3";
    private const string Names = "ops/README.md: Daily commands";
    private const string Daily = "ops/README.md: Daily commands 2";
    private const string Approvals = "ops/README.md: Approvals";
    private const string Audit = "ops/README.md: Audit";
    private const string AuditReal = "ops/README.md: Audit 2";
    private const string Retention = "ops/README.md: Retention";
    private const string Gates = "ops/README.md: Gates";
    private const string Arguments = "ops/upgrade.md: Queue arguments";
    private const string Check = "policies/README.md: A new topic, step by step";
    private const string PutInForce = "policies/README.md: A new topic, step by step 2";
    private const string Reload = "policies/README.md: Reload";
    private const string Explain = "policies/README.md: Explain and diff";

    [Fact]
    public void Every_shell_block_of_every_page_is_run_here() =>
        Assert.Equal(
            [
                Rule,
                Demo,
                RealShort,
                Verbs,
                Curl,
                Tests,
                Embedded,
                Real,
                Users,
                Certificates,
                ServeTls,
                CallTls,
                Names,
                Daily,
                Approvals,
                Audit,
                AuditReal,
                Retention,
                Gates,
                Arguments,
                Check,
                PutInForce,
                Reload,
                Explain,
            ],
            ShellBlocks.Names
        );

    /// <summary>The first page and the page of operators show the same start, and the journey of the real server runs it once.</summary>
    [Fact]
    public void The_real_server_starts_the_same_way_on_both_pages() =>
        Assert.Equal(ShellBlocks.Commands(Real), ShellBlocks.Commands(RealShort));

    /// <summary>The commands that <see cref="QueueMigrationJourneys"/> runs.</summary>
    [Fact]
    public void Queues_are_migrated_by_the_commands_of_the_page() =>
        Assert.Equal(
            ["dispatcher queues migrate --dry-run", "dispatcher queues migrate"],
            ShellBlocks.Commands(Arguments).Skip(1).Select(command => command.Split('#')[0].TrimEnd())
        );

    /// <summary>The tests run by this command.</summary>
    [Fact]
    public void The_README_shows_the_command_that_runs_the_tests() =>
        Assert.Equal("ops/test.sh", Assert.Single(ShellBlocks.Commands(Tests)).Split(' ')[0]);

    /// <summary>
    /// From an empty checkout to an approved job that succeeds, with the commands that the demo prints, and then a first job.
    /// </summary>
    [Fact]
    public async Task The_demo_leads_to_an_approved_job_and_to_a_first_one()
    {
        using var checkout = new Checkout();
        await using var demo = checkout.Shell();
        demo.Type(Assert.Single(ShellBlocks.Commands(Demo)));
        await demo.SeesAsync("Timeline of the deployment:");

        await using var other = checkout.Shell();
        await using var events = checkout.Shell();
        var printed = demo.Log[demo.Log.IndexOf("In another terminal", StringComparison.Ordinal)..]
            .Split('\n')
            .Where(line => line.StartsWith("  ", StringComparison.Ordinal))
            .ToList();
        Assert.Equal(
            ["export", "dispatcher()", "DISPATCHER_API_KEY", "dispatcher", "dispatcher", "dispatcher", "curl"],
            printed.Select(line => FirstWord().Match(line).Value)
        );
        foreach (var command in printed[..2])
        {
            await other.RunAsync(command);
            await events.RunAsync(command);
        }

        events.Type(printed[^1]);
        await events.SeesAsync(": listening");
        foreach (var command in printed[2..^1])
        {
            await other.RunAsync(command);
        }

        await demo.SeesAsync("web 1.2.3 is deployed to prod");
        await events.SeesAsync("\"succeeded\"");

        // The rule denies the job, which is exit code 1.
        await other.RunAsync(Assert.Single(ShellBlocks.Commands(Rule)), 1);
        var jobId = "";
        foreach (var command in ShellBlocks.Commands(Verbs).Concat(ShellBlocks.Commands(Curl)))
        {
            var output = await other.RunAsync(command.Replace("<job_id>", jobId, StringComparison.Ordinal));
            Assert.DoesNotMatch("\"status\": ?[45][0-9][0-9]", output);
            jobId = JobId().Match(output) is { Success: true } id ? id.Groups[1].Value : jobId;
        }

        await demo.CtrlCAsync();
    }

    [Fact]
    public async Task An_embedded_server_keeps_its_data_below_the_current_folder_and_its_history_can_be_checked()
    {
        using var checkout = new Checkout();
        var address = $"http://127.0.0.1:{Servers.FreePort()}";
        await using var server = checkout.Shell(("DISPATCHER_URLS", address));
        await using var other = checkout.Shell(
            ("DISPATCHER_URL", address),
            ("DISPATCHER_API_KEY", await ServeAsync(server, address, ShellBlocks.Commands(Embedded)))
        );
        foreach (var command in ShellBlocks.Commands(Names))
        {
            await other.RunAsync(command);
        }

        await other.RunAsync(
            """dispatcher submit --topic job.exec.shell --label env=dev --payload '{"command": ["echo", "hello"]}' --wait"""
        );
        foreach (var command in ShellBlocks.Commands(Audit))
        {
            await other.RunAsync(command);
        }

        await server.CtrlCAsync();
        // Git ignores the files that the program leaves, and none of them lies among the sources.
        Assert.Equal("*\n", await File.ReadAllTextAsync(Path.Combine(checkout.Root, "data", ".gitignore"), Now));
        Assert.False(Path.Exists(Path.Combine(checkout.Root, "src", "Dispatcher", "data")));
    }

    [Fact]
    public async Task An_embedded_server_has_HTTPS_with_a_private_CA()
    {
        using var checkout = new Checkout();
        var port = $"{Servers.FreePort()}";
        string At(string command) => command.Replace("8443", port, StringComparison.Ordinal);
        await using var server = checkout.Shell(("DISPATCHER_API_KEY", EmbeddedServer.Key));
        foreach (var command in ShellBlocks.Commands(Certificates).Concat(ShellBlocks.Commands(ServeTls).SkipLast(1)))
        {
            await server.RunAsync(command);
        }

        server.Type(At(ShellBlocks.Commands(ServeTls)[^1]));
        await server.SeesAsync("HTTP listens at https://127.0.0.1:");
        await using var other = checkout.Shell(("DISPATCHER_API_KEY", EmbeddedServer.Key));
        foreach (var command in ShellBlocks.Commands(CallTls))
        {
            await other.RunAsync(At(command));
        }

        await server.CtrlCAsync();
    }

    [Fact]
    public async Task The_real_server_is_served_voted_on_and_given_a_new_topic()
    {
        await using var journey = await Journey.BeginAsync(migrated: false);
        using var checkout = new Checkout();
        var address = $"http://127.0.0.1:{Servers.FreePort()}";
        // The pages name only host and port of the broker.
        var broker = ("DISPATCHER_RABBITMQ", Servers.BrokerAs(Journey.ServerUser, journey.Name).AbsoluteUri);
        foreach (var name in (string[])["main", "worker-shell", "platform", "billing-api"])
        {
            await Servers.DropUserAsync(name);
        }

        await using (var role = journey.Database.CreateCommand("drop role if exists main"))
        {
            await role.ExecuteNonQueryAsync(Now);
        }

        await using var server = checkout.Shell(("DISPATCHER_URLS", address), broker);
        var key = await ServeAsync(server, address, [.. ShellBlocks.Commands(Real).Select(command => Addressed(journey, command))]);
        await using var other = checkout.Shell(
            broker,
            ("DISPATCHER_URL", address),
            ("DISPATCHER_API_KEY", key),
            ("DISPATCHER_POSTGRES", journey.Postgres)
        );
        var user = new ReadmeUser(
            other,
            new HttpClient { BaseAddress = new Uri(address), DefaultRequestHeaders = { Authorization = new("Bearer", key) } }
        );

        await user.RunAsync(
            ShellBlocks
                .Commands(Names)
                .Concat(ShellBlocks.Commands(Users).Select(command => Addressed(journey, command)))
                .Concat(ShellBlocks.Commands(Daily))
        );
        await user.MakeTopicAsync(checkout.Root, ShellBlocks.Commands(Check), ShellBlocks.Commands(PutInForce));
        await user.RunAsync(ShellBlocks.Commands(Reload).Concat(ShellBlocks.Commands(Explain)));
        await user.VoteAsync(ShellBlocks.Commands(Approvals));
        await Eventually.IsAsync(
            () => File.Exists(Path.Combine(checkout.Root, "audit", "checkpoints.ndjson")),
            "a checkpoint is signed",
            seconds: 90
        );
        // No job has run on this server. A gate blocks on a number that it does not know.
        var gate = await user.RunAsync(
            ShellBlocks
                .Commands(AuditReal)
                .Concat(ShellBlocks.Commands(Retention))
                .Concat(ShellBlocks.Commands(Gates))
                .Select(command => command.Replace("http://127.0.0.1:8080", address, StringComparison.Ordinal)),
            command => command.StartsWith("API=", StringComparison.Ordinal) ? [1] : [0]
        );
        Assert.Contains("BLOCK", gate, StringComparison.Ordinal);

        await server.CtrlCAsync();
        Assert.Equal("*\n", await File.ReadAllTextAsync(Path.Combine(checkout.Root, "audit", ".gitignore"), Now));
        Assert.False(Path.Exists(Path.Combine(checkout.Root, "src", "Dispatcher", "audit")));
    }

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    /// <summary>
    /// Runs the commands before the last one, types the last one, which serves, and waits until the server is ready. Returns the admin key
    /// that the terminal has made.
    /// </summary>
    private static async Task<string> ServeAsync(Shell shell, string address, IReadOnlyList<string> commands)
    {
        foreach (var command in commands.SkipLast(1))
        {
            await shell.RunAsync(command);
        }

        var key = (await shell.RunAsync("printenv DISPATCHER_API_KEY")).Trim();
        shell.Type(commands[^1]);
        using var http = new HttpClient { BaseAddress = new Uri(address) };
        await Eventually.IsAsync(() => IsReadyAsync(http), () => "the server is ready\n" + shell.Log, TimeSpan.FromSeconds(60));
        return key;
    }

    private static async Task<bool> IsReadyAsync(HttpClient http)
    {
        try
        {
            return (await http.GetAsync(new Uri("/health/ready", UriKind.Relative), Now)).IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private static string Addressed(Journey journey, string command) =>
        command
            .Replace("http://guest:guest@127.0.0.1:15672", Servers.ManagementSetting, StringComparison.Ordinal)
            .Replace("Host=127.0.0.1;Username=postgres;Database=dispatcher", journey.Postgres, StringComparison.Ordinal);

    [GeneratedRegex("""[a-zA-Z_]+(\(\))?""")]
    private static partial Regex FirstWord();

    [GeneratedRegex("""(?:"job_id": ?"|^job +)([0-9a-f-]{36})""", RegexOptions.Multiline)]
    private static partial Regex JobId();
}
