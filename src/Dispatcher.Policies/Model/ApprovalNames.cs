namespace Dispatcher.Policies.Model;

/// <summary>The YAML words of approval settings.</summary>
internal static class ApprovalNames
{
    public static string Of(ApprovalCover cover) =>
        cover switch
        {
            ApprovalCover.Attempt => "attempt",
            ApprovalCover.Retries => "retries",
        };

    public static string Of(OnPolicyChange change) =>
        change switch
        {
            OnPolicyChange.SameBasis => "same_basis",
            OnPolicyChange.Invalidate => "invalidate",
        };
}
