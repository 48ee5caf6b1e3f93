using System.Globalization;
using System.Security.Claims;
using Dispatcher.Web;

namespace Dispatcher.Approvals;

/// <summary>The name of an approval in a request: <c>&lt;job id&gt;-&lt;round&gt;</c>, or the job id alone for its last round.</summary>
internal sealed record ApprovalName(Guid JobId, int? Round)
{
    private const int IdLength = 36;

    /// <summary>Null: the text is not a name of an approval.</summary>
    public static ApprovalName? Read(string text)
    {
        if (text.Length < IdLength || !Guid.TryParseExact(text[..IdLength], "D", out var jobId))
        {
            return null;
        }

        if (text.Length == IdLength)
        {
            return new ApprovalName(jobId, null);
        }

        return text[IdLength] == '-' && int.TryParse(text[(IdLength + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var round)
            ? new ApprovalName(jobId, round)
            : null;
    }
}

/// <summary>Reads a voter from the claims of the caller, which all come from its API key.</summary>
internal static class VoterClaims
{
    public static bool MayVote(this ClaimsPrincipal caller) => Role.MayVote(caller.FindAll(ClaimTypes.Role).Select(role => role.Value));

    public static CastVote Vote(this ClaimsPrincipal caller, Guid approvalId, string verdict, string reason) =>
        new()
        {
            ApprovalId = approvalId,
            Verdict = verdict,
            Reason = reason,
            Person = caller.FindFirstValue(ApiKeyAuthentication.PersonClaim) ?? "",
            Subject = caller.Subject(),
            Groups = [.. caller.FindAll(ApiKeyAuthentication.GroupClaim).Select(group => group.Value)],
            JobHash = "",
            PolicyHash = "",
        };
}
