using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Dispatcher.Audit.Verification;
using Dispatcher.Base;
using Dispatcher.CommandLine.Screens;

namespace Dispatcher.CommandLine;

/// <summary><c>dispatcher audit verify|export</c>.</summary>
internal static class AuditVerbs
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public static Command Create(Terminal terminal) =>
        new("audit", "Verify that the timeline is unchanged and complete, or export it.") { Verify(terminal), Export(terminal) };

    private static Verb Verify(Terminal terminal)
    {
        var source = new AuditSource();
        var file = new Option<string?>("--file") { Description = "Verify an export instead of a database.", HelpName = "FILE" };
        var json = new Option<bool>("--json") { Description = "Print one JSON document." };
        var verb = new Verb(
            "verify",
            "Find the first entry of the timeline that was altered, removed, inserted, reordered or cut off, all gaps, "
                + "and the rows that differ from the timeline. Exit code 1 when there is such an entry, gap or row.",
            "dispatcher audit verify --data ./data",
            "DISPATCHER_POSTGRES_FILE=/run/secrets/postgres dispatcher audit verify --checkpoint "
                + "/mnt/audit/checkpoints.ndjson --key /mnt/audit/sealing.pub",
            "dispatcher audit verify --file history.ndjson --key sealing.pub --json"
        );
        source.AddDatabaseTo(verb);
        verb.Add(file);
        source.AddTrustTo(verb);
        verb.Add(json);
        verb.SetAction(
            (call, cancellationToken) =>
                ServerRun.ToExitCodeAsync(
                    terminal,
                    async () =>
                    {
                        var check = new HistoryCheck(source.Trusted(call));
                        var report = call.GetValue(file) is { } path
                            ? await OfFileAsync(check, path, cancellationToken)
                            : await source.WithDatabaseAsync(
                                call,
                                history => check.RunAsync(history, cancellationToken),
                                cancellationToken
                            );
                        Show(new Screen(terminal), report, call.GetValue(json));
                        return report.Ok ? ExitCode.Done : ExitCode.No;
                    }
                )
        );
        return verb;
    }

    private static Verb Export(Terminal terminal)
    {
        var source = new AuditSource();
        var output = new Option<string?>("--output") { Description = "File to write; default: standard output.", HelpName = "FILE" };
        var verb = new Verb(
            "export",
            "Export checkpoints, entries and seals as lines of JSON, for \"audit verify --file\" or another tool. Does not verify.",
            "dispatcher audit export --data ./data --output history.ndjson",
            "DISPATCHER_POSTGRES_FILE=/run/secrets/postgres dispatcher audit export"
        );
        source.AddDatabaseTo(verb);
        verb.Add(output);
        verb.SetAction(
            (call, cancellationToken) =>
                ServerRun.ToExitCodeAsync(
                    terminal,
                    () =>
                        source.WithDatabaseAsync(
                            call,
                            async history =>
                            {
                                await WriteAsync(terminal, history, call.GetValue(output), cancellationToken);
                                return ExitCode.Done;
                            },
                            cancellationToken
                        )
                )
        );
        return verb;
    }

    private static async Task<AuditReport> OfFileAsync(HistoryCheck check, string path, CancellationToken cancellationToken)
    {
        await using var history = ExportHistory.Open(path);
        return await check.RunAsync(history, cancellationToken);
    }

    private static async Task WriteAsync(Terminal terminal, IHistory history, string? path, CancellationToken cancellationToken)
    {
        if (path is null)
        {
            await ExportHistory.WriteAsync(history, terminal.Output, cancellationToken);
            return;
        }

        await using var file = new StreamWriter(path);
        var entries = await ExportHistory.WriteAsync(history, file, cancellationToken);
        new Screen(terminal).Note($"{entries} entries written to {path}");
    }

    private static void Show(Screen screen, AuditReport report, bool json)
    {
        if (json)
        {
            screen.Json(JsonSerializer.Serialize(report, Json));
            return;
        }

        if (report.Finding is { } finding)
        {
            screen.Line($"{Name(finding.Kind).ToUpperInvariant()}: {finding.Message}");
            screen.Fields(
                ("number", $"{finding.Seq}"),
                ("entry", $"{finding.EntryId}"),
                ("job", $"{finding.JobId}"),
                ("bad in all", $"{report.Bad}")
            );
        }

        foreach (var gap in report.IncompleteJobs)
        {
            var number = gap.Seq is { } seq ? $", number {seq}" : "";
            screen.Line($"INCOMPLETE ({Name(gap.Kind)}): job {gap.JobId}{number}: {gap.Message}{Compared(gap)}");
        }

        screen.Fields(
            (
                "history",
                report.Finding switch
                {
                    null => "as it was sealed",
                    { Kind: Tampering.UnknownKey } => "not checked whole: a public key is missing",
                    _ => "NOT as it was sealed",
                }
            ),
            ("complete", report.Incomplete == 0 ? "yes" : $"no, {report.Incomplete} lacking"),
            ("sealed", $"{report.Sealed}"),
            ("not sealed", $"{report.Unsealed}"),
            ("dispatches", $"{report.Dispatches}, of these high-risk {report.HighRisk}"),
            (
                "checkpoints",
                $"{report.Checkpoints}, of these from files {report.CheckpointsOfFiles}; signatures "
                    + (
                        !report.Signatures ? "not checked"
                        : report.Finding is { Kind: Tampering.UnknownKey } ? "of the given keys checked"
                        : "checked"
                    )
            )
        );
        foreach (var note in report.Notes)
        {
            screen.Line("note: " + note);
        }
    }

    private static string Compared(IncompleteJob gap) =>
        gap.Seen is null && gap.Expected is null ? "" : $"; seen: {gap.Seen ?? "nothing"}; expected: {gap.Expected ?? "nothing"}";

    private static string Name<T>(T kind)
        where T : struct, Enum => JsonSerializer.Serialize(kind).Trim('"');
}
