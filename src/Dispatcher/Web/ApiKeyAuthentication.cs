using System.Security.Claims;
using System.Text.Encodings.Web;
using Dispatcher.Storage.Rows;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.Extensions.Options;

namespace Dispatcher.Web;

/// <summary>
/// Authenticates <c>Authorization: Bearer &lt;key&gt;</c>: the caller gets subject, person, roles and groups of the stored key.
/// </summary>
internal sealed class ApiKeyAuthentication(
    IOptionsMonitor<AuthenticationSchemeOptions> options,
    ILoggerFactory loggers,
    UrlEncoder encoder,
    ApiKeys keys
) : AuthenticationHandler<AuthenticationSchemeOptions>(options, loggers, encoder)
{
    public const string Name = "ApiKey";
    public const string KeyIdClaim = "key_id";

    /// <summary>Absent or empty: the key names no person.</summary>
    public const string PersonClaim = "person";
    public const string GroupClaim = "group";
    private const string Bearer = "Bearer ";

    /// <summary>The key that the request carries. Null: none.</summary>
    public static string? SecretOf(HttpRequest request) =>
        request.Headers.Authorization.ToString() is var header && header.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase)
            ? header[Bearer.Length..].Trim()
            : null;

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        // Health and gates need no key, and callers read them during an outage: they must answer without the store.
        if (SecretOf(Request) is not { } secret || Context.GetEndpoint()?.Metadata.GetMetadata<IAuthorizeData>() is null)
        {
            return AuthenticateResult.NoResult();
        }

        return await StoreTimeouts.AuthenticateAsync(Context, TimeProvider, token => keys.FindAsync(secret, token)) is { } key
            ? AuthenticateResult.Success(new AuthenticationTicket(Caller(key), Name))
            : AuthenticateResult.Fail("Unknown or revoked key.");
    }

    protected override Task HandleChallengeAsync(AuthenticationProperties properties) =>
        Problems.WriteAsync(
            Context,
            StatusCodes.Status401Unauthorized,
            "No valid API key",
            "Send the header \"Authorization: Bearer <key>\" with a key that is not revoked. \"dispatcher keys create\" creates a key."
        );

    protected override Task HandleForbiddenAsync(AuthenticationProperties properties) =>
        Problems.WriteAsync(
            Context,
            StatusCodes.Status403Forbidden,
            "The roles of this key do not allow the request",
            $"The key of {Context.User.Subject()} has the roles "
                + $"{string.Join(", ", Context.User.FindAll(ClaimTypes.Role).Select(role => role.Value))}. "
                + "Ask an administrator for a key with the role that the request needs."
        );

    private static ClaimsPrincipal Caller(ApiKey key) =>
        new(
            new ClaimsIdentity(
                [
                    new Claim(ClaimTypes.NameIdentifier, key.Subject),
                    new Claim(KeyIdClaim, key.KeyId),
                    new Claim(PersonClaim, key.Person),
                    .. key.Roles.Select(role => new Claim(ClaimTypes.Role, role)),
                    .. key.Groups.Select(group => new Claim(GroupClaim, group)),
                ],
                Name
            )
        );
}

/// <summary>Names of the authorization policies: the roles that may call an endpoint.</summary>
internal static class Callers
{
    public const string Anyone = "anyone";
    public const string Producers = "producers";
    public const string Workers = "workers";
    public const string Operators = "operators";
    public const string Overseers = "overseers";
    public const string Approvers = "approvers";
    public const string Admins = "admins";

    public static void AddApiKeys(this IServiceCollection services)
    {
        services.AddSingleton<PrincipalOwners>();
        services.AddSingleton<ApiKeys>();
        services
            .AddAuthentication(ApiKeyAuthentication.Name)
            .AddScheme<AuthenticationSchemeOptions, ApiKeyAuthentication>(ApiKeyAuthentication.Name, null);
        services
            .AddAuthorizationBuilder()
            .AddPolicy(Anyone, policy => policy.RequireAuthenticatedUser())
            .AddPolicy(Producers, policy => policy.RequireRole(Role.Producer, Role.Admin))
            .AddPolicy(Workers, policy => policy.RequireAssertion(context => context.User.IsWorker()))
            .AddPolicy(Operators, policy => policy.RequireRole(Role.Operator, Role.Admin))
            .AddPolicy(Overseers, policy => policy.RequireRole(Role.Operator, Role.Approver, Role.Admin))
            .AddPolicy(Approvers, policy => policy.RequireRole(Role.Approver, Role.Admin))
            .AddPolicy(Admins, policy => policy.RequireRole(Role.Admin));
    }
}
