using System.Text.Json;
using Dispatcher.Base;

namespace Dispatcher.CommandLine.Identities;

/// <summary><c>dispatcher identity check</c>.</summary>
internal static class IdentityCheckVerb
{
    public static Verb Create(ServerVerbs verbs) =>
        verbs.Add(
            new Verb(
                "check",
                "Find credentials that several programs share, identities that nothing uses, rights beyond need and missing parts. Each "
                    + "finding names its fix. Exit code 1 when there is a finding; hints do not change it.",
                "dispatcher identity check",
                "dispatcher identity check --json"
            )
            {
                IdentityParameters.RabbitMq,
                IdentityParameters.Postgres,
            },
            (call, cancellationToken) =>
                IdentityAccess.RunAsync(
                    call,
                    verbs.HasKey(call.Arguments),
                    async access => Show(call, await access.ReadAsync(cancellationToken))
                ),
            IdentityParameters.Json
        );

    private static ExitCode Show(ServerCall call, IdentityFacts facts)
    {
        var findings = IdentityFindings.Of(facts);
        if (call.Json)
        {
            call.Screen.Json(
                JsonSerializer.Serialize(
                    new
                    {
                        server_read = facts.Server is not null,
                        database_read = facts.Roles is not null,
                        findings = findings.Select(finding => new
                        {
                            code = finding.Code,
                            name = finding.Name,
                            message = finding.Message,
                            fix = finding.Fix,
                            hint = finding.IsHint,
                        }),
                    }
                )
            );
        }
        else
        {
            foreach (var finding in findings.OrderBy(finding => finding.IsHint))
            {
                call.Screen.Line($"{(finding.IsHint ? "hint" : "finding")} {finding.Name}: {finding.Message} [{finding.Code}]");
                call.Screen.Line($"  fix: {finding.Fix}");
            }

            call.Screen.Line($"{facts.Principals().Count} principals, {findings.Count(finding => !finding.IsHint)} findings");
            IdentityListVerb.NoteUnread(call, facts);
        }

        return findings.Any(finding => !finding.IsHint) ? ExitCode.No : ExitCode.Done;
    }
}
