using Dispatcher.Contracts;

namespace Dispatcher.Policies.Model;

/// <summary>The YAML names of the verdicts.</summary>
internal static class VerdictNames
{
    public static readonly string[] All = ["ALLOW", "ALLOW_WITH_CONSTRAINTS", "REQUIRE_APPROVAL", "DENY"];

    public static string Of(Verdict verdict) =>
        verdict switch
        {
            Verdict.Allow => "ALLOW",
            Verdict.AllowWithConstraints => "ALLOW_WITH_CONSTRAINTS",
            Verdict.RequireApproval => "REQUIRE_APPROVAL",
            Verdict.Deny => "DENY",
        };

    /// <summary>The verdict of a name. Null: no verdict has this name.</summary>
    public static Verdict? Parse(string name) =>
        Enum.GetValues<Verdict>().Cast<Verdict?>().FirstOrDefault(verdict => Of(verdict!.Value) == name);
}
