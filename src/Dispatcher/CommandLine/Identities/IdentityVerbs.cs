using System.CommandLine;

namespace Dispatcher.CommandLine.Identities;

/// <summary><c>dispatcher identity create|list|revoke|check</c>.</summary>
internal static class IdentityVerbs
{
    public static Command Create(ServerVerbs verbs) =>
        new(
            "identity",
            "Make, list, revoke and check the identities of programs: one broker user, key subject and database role for each principal."
        )
        {
            IdentityCreateVerb.Create(verbs),
            IdentityListVerb.Create(verbs),
            IdentityRevokeVerb.Create(verbs),
            IdentityCheckVerb.Create(verbs),
        };
}
