using System.Security.Claims;
using System.Text.RegularExpressions;

namespace Dispatcher.Web;

/// <summary>What a key may do. A key has any number of roles.</summary>
internal static partial class Role
{
    /// <summary>Hands in jobs; sees and cancels its own.</summary>
    public const string Producer = "producer";

    /// <summary>Claims attempts of every pool; <c>worker:&lt;pool&gt;</c> of one.</summary>
    public const string Worker = "worker";

    /// <summary>Sees and cancels every job, and sees the dead letters.</summary>
    public const string Operator = "operator";

    /// <summary>Sees every job and decides on held ones; cancels only its own.</summary>
    public const string Approver = "approver";

    /// <summary>Everything, makes keys, and pins bundles.</summary>
    public const string Admin = "admin";

    /// <summary>The roles a key may be given. A pool has a name of 1 to 64 characters of a-z, 0-9, _ and -.</summary>
    public static bool IsKnown(string role) => role is Producer or Worker or Operator or Approver or Admin || OfOnePool().IsMatch(role);

    public static string Subject(this ClaimsPrincipal caller) => caller.FindFirstValue(ClaimTypes.NameIdentifier)!;

    /// <summary>The id of the caller's key.</summary>
    public static string KeyId(this ClaimsPrincipal caller) => caller.FindFirstValue(ApiKeyAuthentication.KeyIdClaim)!;

    /// <summary>Whether these roles let their key vote on held jobs. An admin makes keys, and so could vote as anybody: the vote at least bears its name.</summary>
    public static bool MayVote(IEnumerable<string> roles) => roles.Any(role => role is Approver or Admin);

    public static bool MaySeeAll(this ClaimsPrincipal caller) =>
        caller.IsInRole(Operator) || caller.IsInRole(Admin) || caller.IsInRole(Approver);

    /// <summary>Whoever may see a job of <paramref name="principal"/> may not therefore stop it.</summary>
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
