using System.Text.Json.Serialization;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Web;

/// <summary>The body of <c>POST /api/keys</c>.</summary>
internal sealed record KeyRequest
{
    /// <summary>The principal, <c>[a-z0-9_-]{1,64}</c>; for a worker or a producer over AMQP, the name of its broker user.</summary>
    [JsonPropertyName("subject")]
    public required string Subject { get; init; }

    /// <summary>
    /// The person who uses the subject or is responsible for it, <c>[a-z0-9_-]{1,64}</c>. Null: none; then the key cannot have the role
    /// <c>approver</c>.
    /// </summary>
    [JsonPropertyName("person")]
    public string? Person { get; init; }

    /// <summary>See <see cref="Role"/>. Empty: no key is made; the principal is bound to the person, which must be given.</summary>
    [JsonPropertyName("roles")]
    public required IReadOnlyList<string> Roles { get; init; }

    /// <summary>Groups for approvals, each <c>[a-z0-9_-]{1,64}</c>.</summary>
    [JsonPropertyName("groups")]
    public IReadOnlyList<string> Groups { get; init; } = [];
}

/// <summary>
/// A key or a binding as it is shown. The secret is there once, when the key is made; a binding has none. The person is null when none is
/// named.
/// </summary>
internal sealed record KeyView(
    string KeyId,
    string? Key,
    string Subject,
    string? Person,
    IReadOnlyList<string> Roles,
    IReadOnlyList<string> Groups,
    DateTimeOffset CreatedAt,
    DateTimeOffset? RevokedAt
)
{
    public static KeyView Of(ApiKey key, string? secret = null) =>
        new(
            key.KeyId,
            secret,
            key.Subject,
            key.Person.Length == 0 ? null : key.Person,
            key.Roles,
            key.Groups,
            Timestamps.At(key.CreatedAt),
            Timestamps.At(key.RevokedAt)
        );
}

/// <summary><c>/api/keys</c>, for admins.</summary>
internal static class KeyEndpoints
{
    public static void MapKeys(this IEndpointRouteBuilder routes)
    {
        var keys = routes.MapGroup("/api/keys").RequireAuthorization(Callers.Admins).WithTags("keys");
        keys.MapPost("", CreateAsync).WithStoreTimeout();
        keys.MapGet(
            "",
            async (ApiKeys store, CancellationToken cancellationToken) =>
                new Page<KeyView>([.. (await store.ListAsync(cancellationToken)).Select(key => KeyView.Of(key))], null)
        );
        keys.MapDelete(
                "/{keyId}",
                async (string keyId, ApiKeys store, CancellationToken cancellationToken) =>
                    await store.RevokeAsync(keyId, cancellationToken) ? Results.NoContent() : Problems.NotFound($"There is no key {keyId}.")
            )
            .WithStoreTimeout();
    }

    private static async Task<IResult> CreateAsync(KeyRequest request, ApiKeys store, CancellationToken cancellationToken)
    {
        var errors = Check(request);
        if (errors.Count > 0)
        {
            return Problems.Malformed(errors);
        }

        var (key, secret) = await store.CreateAsync(request, cancellationToken);
        return Results.Created($"/api/keys/{key.KeyId}", KeyView.Of(key, key.Roles.Count == 0 ? null : secret));
    }

    private static List<InputError> Check(KeyRequest request)
    {
        var errors = new List<InputError>();
        foreach (var (where, name) in new[] { ("/subject", request.Subject), ("/person", request.Person ?? request.Subject) })
        {
            if (!PrincipalName.IsValid(name))
            {
                errors.Report(
                    "bad_principal",
                    where,
                    $"\"{InputErrors.Cut(name)}\" is not allowed.",
                    "Use 1 to 64 characters of a-z, 0-9, _ and -."
                );
            }
        }

        if (request.Person is null && (request.Roles.Count == 0 || request.Roles.Contains(Role.Approver)))
        {
            errors.Report(
                "no_person",
                "/person",
                request.Roles.Count == 0 ? "A binding names no person." : "A key with the role approver names no person.",
                "Name the person: \"person\": \"ana\", or --person ana. Two keys of one person count as one voter."
            );
        }

        // Null is no member of these lists, but JSON can put it there.
        foreach (var (i, role) in request.Roles.Index().Where(role => role.Item is null || !Role.IsKnown(role.Item)))
        {
            errors.Report(
                "unknown_role",
                $"/roles/{i}",
                $"There is no role {Quote(role)}.",
                "Allowed: producer, worker, worker:<pool>, operator, approver, admin."
            );
        }

        foreach (var (i, group) in request.Groups.Index().Where(group => group.Item is null || !PrincipalName.IsValid(group.Item)))
        {
            errors.Report(
                "bad_group",
                $"/groups/{i}",
                $"{Quote(group)} cannot be a group.",
                "Use 1 to 64 characters of a-z, 0-9, _ and -."
            );
        }

        return errors;
    }

    private static string Quote(string? seen) => seen is null ? "null" : $"\"{InputErrors.Cut(seen)}\"";
}
