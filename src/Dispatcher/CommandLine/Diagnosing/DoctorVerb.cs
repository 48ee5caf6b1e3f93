using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.CommandLine.Screens;

namespace Dispatcher.CommandLine.Diagnosing;

/// <summary><c>dispatcher doctor</c>: checks the configuration of a server before it serves.</summary>
internal static class DoctorVerb
{
    private static readonly Option<bool> Json = new("--json")
    {
        Description = "Print one JSON document: findings, and what was not checked.",
    };

    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Verb Create(Terminal terminal)
    {
        var verb = new Verb(
            "doctor",
            "Check the configuration of \"serve\" before it serves, with the same options and variables: broker, database, certificate, "
                + "files and policies. It changes nothing. Rights and policies of the broker need DISPATCHER_RABBITMQ_MANAGEMENT. Each "
                + "finding names its fix. Exit code 1 when there are errors; warnings do not change it.",
            "DISPATCHER_RABBITMQ_FILE=/run/secrets/rabbitmq DISPATCHER_POSTGRES_FILE=/run/secrets/postgres dispatcher doctor",
            "dispatcher doctor --data ./data --json"
        );
        foreach (var option in (Option[])[.. ServeSettings.Options, Json])
        {
            verb.Add(option);
        }

        verb.SetAction(
            (call, cancellationToken) =>
                ServerRun.ToExitCodeAsync(
                    terminal,
                    async () => Show(terminal, await DiagnoseAsync(call, terminal, cancellationToken), call.GetValue(Json))
                )
        );
        return verb;
    }

    private static async Task<Diagnosis> DiagnoseAsync(ParseResult call, Terminal terminal, CancellationToken cancellationToken)
    {
        var wrong = new List<ExitException>();
        var settings = ServeSettings.Read(call, wrong.Add);
        var areRead = wrong.Count == 0;
        if (areRead)
        {
            ServeSettings.Check(settings, wrong.Add);
        }

        var diagnosis = new Diagnosis(settings, terminal.Variable, terminal.Clock);
        wrong.ForEach(fault => diagnosis.Error("setting", fault));
        if (!areRead)
        {
            diagnosis.Skip("whether the settings fit together: one of them cannot be read");
        }

        await diagnosis.RunAsync(cancellationToken);
        return diagnosis;
    }

    private static ExitCode Show(Terminal terminal, Diagnosis diagnosis, bool json)
    {
        var screen = new Screen(terminal);
        var errors = diagnosis.Findings.Count(finding => finding.Severity == DoctorSeverity.Error);
        if (json)
        {
            screen.Json(Document(diagnosis));
        }
        else
        {
            foreach (var finding in diagnosis.Findings)
            {
                screen.Line($"{Word(finding.Severity)} {finding.Where}: {finding.Seen.TrimEnd('.')} [{finding.Code}]");
                if (finding.Allowed.Length > 0)
                {
                    screen.Line($"  allowed: {finding.Allowed}");
                }

                screen.Line($"  fix: {finding.Fix}");
            }

            foreach (var skipped in diagnosis.NotChecked)
            {
                screen.Line($"not checked: {skipped}");
            }

            screen.Line($"{errors} errors, {diagnosis.Findings.Count - errors} warnings");
        }

        return errors > 0 ? ExitCode.No : ExitCode.Done;
    }

    private static string Document(Diagnosis diagnosis) =>
        JsonSerializer.Serialize(
            new
            {
                findings = diagnosis.Findings.Select(finding => new
                {
                    severity = Word(finding.Severity),
                    code = finding.Code,
                    where = finding.Where,
                    seen = finding.Seen,
                    allowed = finding.Allowed,
                    fix = finding.Fix,
                }),
                not_checked = diagnosis.NotChecked,
            },
            Readable
        );

    private static string Word(DoctorSeverity severity) =>
        severity switch
        {
            DoctorSeverity.Error => "error",
            DoctorSeverity.Warning => "warning",
        };
}
