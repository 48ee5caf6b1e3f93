using System.Security.Claims;
using System.Text.RegularExpressions;

namespace Dispatcher.Web;

/// <summary>The roles that an API key can have. A key has any number of them.</summary>
internal static partial class Role
{
    /// <summary>Submit jobs; see and cancel the jobs of its own subject.</summary>
    public const string Producer = "producer";

    /// <summary>Claim attempts of every pool; the role <c>worker:&lt;pool&gt;</c> only of that pool.</summary>
    public const string Worker = "worker";

    /// <summary>
    /// See and cancel every job; freeze and unfreeze the dispatch; see dead letters, workers, the state of sealing, and the full status.
    /// </summary>
    public const string Operator = "operator";

    /// <summary>See every job and vote on held jobs, as the key's person; cancel only the jobs of its own subject.</summary>
    public const string Approver = "approver";

    /// <summary>Everything that the other roles allow; make and revoke keys; pin bundles.</summary>
    public const string Admin = "admin";

    /// <summary>Whether a key can have this role. The name of a pool has 1 to 64 characters of a-z, 0-9, _ and -.</summary>
    public static bool IsKnown(string role) => role is Producer or Worker or Operator or Approver or Admin || OfOnePool().IsMatch(role);

    public static string Subject(this ClaimsPrincipal caller) => caller.FindFirstValue(ClaimTypes.NameIdentifier)!;

    /// <summary>The id of the caller's key.</summary>
    public static string KeyId(this ClaimsPrincipal caller) => caller.FindFirstValue(ApiKeyAuthentication.KeyIdClaim)!;

    /// <summary>
    /// Whether these roles let their key vote on held jobs. An admin can make keys for any person, so a direct vote gives no further power
    /// and shows the admin's name.
    /// </summary>
    public static bool MayVote(IEnumerable<string> roles) => roles.Any(role => role is Approver or Admin);

    public static bool MaySeeAll(this ClaimsPrincipal caller) =>
        caller.IsInRole(Operator) || caller.IsInRole(Admin) || caller.IsInRole(Approver);

    /// <summary>The right to see a job of <paramref name="principal"/> does not include the right to cancel it.</summary>
    public static bool MayCancel(this ClaimsPrincipal caller, string principal) =>
        caller.Subject() == principal || caller.IsInRole(Operator) || caller.IsInRole(Admin);

    public static bool IsWorker(this ClaimsPrincipal caller) =>
        caller.IsInRole(Admin)
        || caller
            .FindAll(ClaimTypes.Role)
            .Any(role => role.Value == Worker || role.Value.StartsWith(Worker + ":", StringComparison.Ordinal));

    public static bool Serves(this ClaimsPrincipal caller, string pool) =>
        caller.IsInRole(Admin) || caller.IsInRole(Worker) || caller.IsInRole($"{Worker}:{pool}");

    [GeneratedRegex(@"^worker:[a-z0-9_-]{1,64}\z")]
    private static partial Regex OfOnePool();
}
