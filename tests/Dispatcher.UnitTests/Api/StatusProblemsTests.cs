using System.Globalization;
using System.Text.RegularExpressions;
using Dispatcher.Api;
using Dispatcher.Base;
using Dispatcher.Broker;
using Dispatcher.Dispatching;

namespace Dispatcher.UnitTests.Api;

/// <summary>The problems of the status are the conditions of the alert rules.</summary>
public sealed partial class StatusProblemsTests
{
    private static readonly DateTimeOffset Now = AJob.Noon;

    private static readonly string[] CheckNames = ["store", "bundle", "broker", "topology", "policy_folder", "sealing"];

    private static readonly StatusView Healthy = new("1.0.0", true, Checks(), "abcdef0123456789")
    {
        PolicyActivatedAt = Now.AddHours(-1),
        Processes = [Process(1)],
        Outbox = new(3, 0, Now.AddSeconds(-60)),
        Pools = new Dictionary<string, PoolView> { ["shell"] = Pool(waiting: 2, capacity: 4, readyFor: TimeSpan.FromMinutes(10)) },
        Approvals = new(1, Now.AddHours(-1)),
        DeadLetters = new Dictionary<string, OwnerDeadLetters> { ["platform"] = new(2, 0, Now.AddDays(-6), Breach: false) },
        Unrouted = new UnroutedCount(0, 0),
        ClockOffsetSeconds = 1,
        UnsealedSeconds = 60,
    };

    /// <summary>For each alert a status in which it is the only problem.</summary>
    private static readonly Dictionary<string, StatusView> Cases = new()
    {
        ["DispatcherDown"] = Healthy with { Processes = [Process(1), Process(2) with { Stale = true, SeenAt = Now }] },
        ["DispatcherNotReady"] = Healthy with { Checks = Checks("broker"), Ready = false },
        ["DispatcherClockOff"] = Healthy with { ClockOffsetSeconds = -1.1 },
        ["DispatcherTopologyWrong"] = Healthy with { Checks = Checks("topology") },
        ["DispatcherNoBundle"] = Healthy with { Checks = Checks("bundle") },
        ["DispatcherPolicyFolderBroken"] = Healthy with { Processes = [Process(1), Process(2) with { FolderErrors = 1 }] },
        ["DispatcherBundlesDiffer"] = Healthy with { Processes = [Process(1), Process(2) with { PolicyHash = "fedcba" }] },
        ["DispatcherPoolWithoutWorkers"] = WithPool(Pool(waiting: 1, capacity: 0, readyFor: TimeSpan.Zero)),
        ["DispatcherBacklogOld"] = WithPool(Pool(waiting: 1, capacity: 1, readyFor: TimeSpan.FromSeconds(601))),
        ["DispatcherCircuitBreakerOpen"] = WithPool(Pool(waiting: 0, capacity: 4, readyFor: null) with { Limit = 1 }),
        ["DispatcherOutboxOld"] = Healthy with { Outbox = new(3, 0, Now.AddSeconds(-61)) },
        ["DispatcherOutboxParked"] = Healthy with { Outbox = new(0, 1, null) },
        ["DispatcherBrokerAlarm"] = Healthy with { BrokerAlarm = "low on memory" },
        ["DispatcherUnroutedWaiting"] = Healthy with { Unrouted = new UnroutedCount(1, 0) },
        ["DispatcherCopiesUndelivered"] = Healthy with { Unrouted = new UnroutedCount(0, 1) },
        ["DispatcherDeadLettersNew"] = WithDeadLetters(new(1, 1, Now, Breach: false)),
        ["DispatcherDeadLettersOld"] = WithDeadLetters(new(1, 0, Now.AddDays(-8), Breach: true)),
        ["DispatcherApprovalsWaitLong"] = Healthy with { Approvals = new(1, Now.AddSeconds(-3_601)) },
        ["DispatcherSealingStuck"] = Healthy with { UnsealedSeconds = 61 },
    };

    public static TheoryData<string> Alerts => [.. Rules().Keys];

    [Fact]
    public void Status_at_the_limits_has_no_problem() => Assert.Empty(StatusProblems.Of(Healthy, Now));

    [Theory]
    [MemberData(nameof(Alerts))]
    public void Condition_of_an_alert_is_the_only_problem_of_its_status(string alert)
    {
        if (StatusProblems.OnlyAlerts.Contains(alert))
        {
            Assert.DoesNotContain(alert, Cases.Keys);
            return;
        }

        var problem = Assert.Single(
            alert == "DispatcherBrokerAcceptsLargeMessages"
                ? StatusProblems.Of(Healthy, Now, "The broker accepts messages of more than 16777216 bytes.")
                : StatusProblems.Of(Cases[alert], Now)
        );

        Assert.Equal((alert, $"ops/runbook.md#{alert.ToLowerInvariant()}"), (problem.Alert, problem.Runbook));
        Assert.Equal(SeverityOf(alert), problem.Severity);
    }

    [Fact]
    public void Limits_of_the_status_are_those_of_the_alert_rules()
    {
        var rules = Rules();

        Assert.All(
            new (string Alert, TimeSpan Limit)[]
            {
                ("DispatcherClockOff", AlertLimits.ClockOffset),
                ("DispatcherBacklogOld", AlertLimits.BacklogAge),
                ("DispatcherOutboxOld", AlertLimits.OutboxAge),
                ("DispatcherDeadLettersOld", AlertLimits.DeadLetterAge),
                ("DispatcherApprovalsWaitLong", AlertLimits.ApprovalWait),
                ("DispatcherSealingStuck", AlertLimits.UnsealedLag),
            },
            one =>
                Assert.Equal(
                    one.Limit.TotalSeconds,
                    double.Parse(Limit().Match(rules[one.Alert]).Groups[1].Value, CultureInfo.InvariantCulture)
                )
        );
        Assert.Contains(
            $" offset {AlertLimits.NewDeadLetter.TotalMinutes:0}m)",
            rules["DispatcherDeadLettersNew"],
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Ended_process_that_another_one_replaced_is_no_problem()
    {
        var stale = Process(1) with { Stale = true, SeenAt = Now.AddMinutes(-5) };
        var status = Healthy with { Processes = [stale, Process(2) with { StartedAt = Now.AddMinutes(-4) }] };

        Assert.Empty(StatusProblems.Of(status, Now));
    }

    [Fact]
    public void Start_on_another_host_replaces_only_the_server_that_ended_last()
    {
        var first = Process(1) with { Host = "a", Stale = true, SeenAt = Now.AddMinutes(-50) };
        var second = Process(2) with { Host = "b", Stale = true, SeenAt = Now.AddMinutes(-5) };
        var status = Healthy with { Processes = [first, second, Process(3) with { Host = "c", StartedAt = Now.AddMinutes(-4) }] };

        Assert.Contains("a/1", Assert.Single(StatusProblems.Of(status, Now)).Problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("all", "", false)]
    [InlineData("pool", "shell", false)]
    [InlineData("pool", "other", true)]
    [InlineData("topic", "shell", true)]
    public void Backlog_of_a_frozen_pool_is_no_problem(string kind, string name, bool isProblem) =>
        Assert.Equal(isProblem, StatusProblems.Of(Cases["DispatcherBacklogOld"], Now, frozen: [new FreezeTarget(kind, name)]).Count > 0);

    [Fact]
    public void Other_roles_see_no_queues_and_no_workers()
    {
        var status = Healthy with { Queues = new Dictionary<string, QueueLoad>(), Warnings = ["frozen"] };

        var shown = StatusReads.Shown(isFull: false, status, ["worker w1"]);
        var full = StatusReads.Shown(isFull: true, status, ["worker w1"]);

        Assert.Null(shown.Queues);
        Assert.Equal(["frozen"], shown.Warnings);
        Assert.NotNull(full.Queues);
        Assert.Equal(["frozen", "worker w1"], full.Warnings);
    }

    [Fact]
    public void Process_that_has_not_noticed_an_activation_yet_is_no_problem()
    {
        var status = Healthy with { PolicyActivatedAt = Now.AddSeconds(-9), Processes = [Process(1) with { PolicyHash = "fedcba" }] };

        Assert.Empty(StatusProblems.Of(status, Now));
        Assert.NotEmpty(StatusProblems.Of(status with { PolicyActivatedAt = Now.AddSeconds(-11) }, Now));
    }

    private static StatusView WithPool(PoolView pool) => Healthy with { Pools = new Dictionary<string, PoolView> { ["shell"] = pool } };

    private static StatusView WithDeadLetters(OwnerDeadLetters letters) =>
        Healthy with
        {
            DeadLetters = new Dictionary<string, OwnerDeadLetters> { ["platform"] = letters },
        };

    private static PoolView Pool(int waiting, int capacity, TimeSpan? readyFor) =>
        new(1, capacity, waiting, 0, 0, null, null) { OldestReadyAt = readyFor is { } time ? Timestamps.Micros(Now - time) : null };

    private static ProcessView Process(int pid) =>
        new(Guid.Empty, "host", pid, "1.0.0", "abcdef0123456789", null, 0, Now.AddHours(-2), Now, Stale: false);

    private static Dictionary<string, string> Checks(string failing = "") =>
        CheckNames.ToDictionary(check => check, check => check == failing ? "it fails" : "ok");

    private static string SeverityOf(string alert) =>
        Severity(alert).Match(File.ReadAllText(Path.Combine(Repository.Root, "ops/telemetry/alerts.yaml"))).Groups[1].Value;

    private static Regex Severity(string alert) => new($@"- alert: {alert}\n[\s\S]*?severity: (\w+)");

    /// <summary>The expression of each alert.</summary>
    private static Dictionary<string, string> Rules() =>
        Rule()
            .Matches(File.ReadAllText(Path.Combine(Repository.Root, "ops/telemetry/alerts.yaml")))
            .ToDictionary(rule => rule.Groups[1].Value, rule => rule.Groups[2].Value);

    [GeneratedRegex(@"- alert: (\w+)\n +expr: >-\n((?: {10,}.*\n)+)")]
    private static partial Regex Rule();

    /// <summary>The last number that an expression compares with.</summary>
    [GeneratedRegex(@"> (\d+)\s*\z")]
    private static partial Regex Limit();
}
