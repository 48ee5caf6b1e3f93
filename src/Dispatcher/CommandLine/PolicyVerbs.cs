using System.CommandLine;

namespace Dispatcher.CommandLine;

internal static class PolicyVerbs
{
    public static Command Create(ServerVerbs verbs, Terminal terminal) => new("policy", "Check, test and explain policies.")
    {
        PolicyTestVerb.Create(terminal),
    };
}
