using System.CommandLine;
using Dispatcher.CommandLine.Screens;

namespace Dispatcher.CommandLine;

/// <summary><c>dispatcher incident brief</c>.</summary>
internal static class IncidentVerbs
{
    public static Command Create(ServerVerbs verbs) => new("incident", "Tell others about an incident.") { Brief(verbs) };

    private static Verb Brief(ServerVerbs verbs)
    {
        var id = Identifiers.Uuid("ID", "job, dead letter or freeze", "dispatcher dead-letters list, freeze list --json or jobs list");
        var verb = new Verb(
            "brief",
            "Print a first notice, an update and an all-clear for owners and producers, with the figures of the incident: jobs of the same "
                + "topic or of the frozen target, since it began, at most a day ago. Words in angle brackets are for a person to fill in. "
                + "Never prints payloads, labels, results or fault messages.",
            "dispatcher incident brief 0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10",
            "dispatcher incident brief 0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10 --json"
        )
        {
            id,
        };
        return verbs.Add(
            verb,
            async (call, cancellationToken) =>
                call.Report(
                    await call.Api.IncidentAsync(call.Arguments.GetRequiredValue(id), cancellationToken),
                    incident => call.Screen.Line(IncidentText.Of(incident))
                )
        );
    }
}
