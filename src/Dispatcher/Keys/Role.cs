using System.Security.Claims;

namespace Dispatcher.Keys;

/// <summary>What a key may do. A key has any number of roles.</summary>
internal static class Role
{
    /// <summary>Hands in jobs; sees and cancels its own.</summary>
    public const string Producer = "producer";

    /// <summary>Claims attempts of every pool; <c>worker:&lt;pool&gt;</c> of one.</summary>
    public const string Worker = "worker";

    /// <summary>Sees and cancels every job, and sees the dead letters.</summary>
    public const string Operator = "operator";

    /// <summary>Decides on held jobs.</summary>
    public const string Approver = "approver";

    /// <summary>Everything, and makes keys.</summary>
    public const string Admin = "admin";

    /// <summary>The roles a key may be given.</summary>
    public static bool IsKnown(string role) => role is Producer or Worker or Operator or Approver or Admin || role.StartsWith(Worker + ":", StringComparison.Ordinal);

    public static string Subject(this ClaimsPrincipal caller) => caller.FindFirstValue(ClaimTypes.NameIdentifier)!;

    public static bool MaySeeAll(this ClaimsPrincipal caller) => caller.IsInRole(Operator) || caller.IsInRole(Admin) || caller.IsInRole(Approver);

    public static bool IsWorker(this ClaimsPrincipal caller) =>
        caller.IsInRole(Admin) || caller.FindAll(ClaimTypes.Role).Any(role => role.Value == Worker || role.Value.StartsWith(Worker + ":", StringComparison.Ordinal));

    public static bool Serves(this ClaimsPrincipal caller, string pool) => caller.IsInRole(Admin) || caller.IsInRole(Worker) || caller.IsInRole($"{Worker}:{pool}");
}
