using System.CommandLine;

namespace Dispatcher.CommandLine;

/// <summary><c>dispatcher policy lint</c>.</summary>
internal static class PolicyVerbs
{
    public static Command Create(ServerVerbs verbs, Terminal terminal) => new("policy", "Work on the policy: what decides each job.")
    {
        PolicyLintVerb.Create(terminal),
    };
}
