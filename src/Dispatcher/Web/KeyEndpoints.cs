using System.Text.Json.Serialization;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Web;

/// <summary>The body of <c>POST /api/keys</c>.</summary>
internal sealed record KeyRequest
{
    /// <summary>The principal, <c>[a-z0-9_-]{1,64}</c>. For a worker, or a producer over AMQP: the name of its broker user.</summary>
    [JsonPropertyName("subject")]
    public required string Subject { get; init; }

    /// <summary>
    /// The person who uses the subject or is responsible for it, <c>[a-z0-9_-]{1,64}</c>. Null: none. A key with the role
    /// <c>approver</c> needs a person.
    /// </summary>
    [JsonPropertyName("person")]
    public string? Person { get; init; }

    /// <summary>
    /// See <see cref="Role"/>. Empty: the principal is bound to the person, which is then required, and no key is created.
    /// </summary>
    [JsonPropertyName("roles")]
    public required IReadOnlyList<string> Roles { get; init; }

    /// <summary>Groups that the approver belongs to, each <c>[a-z0-9_-]{1,64}</c>.</summary>
    [JsonPropertyName("groups")]
    public IReadOnlyList<string> Groups { get; init; } = [];
}

/// <summary>
/// A key or a binding as the API shows it. <see cref="Key"/> is the secret: set only in the answer that creates the key, null for a
/// binding. <see cref="Person"/> null: none.
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
                    await store.RevokeAsync(keyId, cancellationToken)
                        ? Results.NoContent()
                        : Problems.NotFound($"Key {keyId} does not exist. \"dispatcher keys list\" shows all.")
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
                    $"\"{InputErrors.Cut(name)}\" is not a valid name.",
                    "Use 1 to 64 characters of a-z, 0-9, _ and -."
                );
            }
        }

        if (request.Person is null && (request.Roles.Count == 0 || request.Roles.Contains(Role.Approver)))
        {
            errors.Report(
                "no_person",
                "/person",
                request.Roles.Count == 0 ? "A binding needs a person." : "A key with the role approver needs a person.",
                "Name the person: \"person\": \"ana\", or --person ana. Two keys of one person count as one voter."
            );
        }

        // The type does not allow null in these lists, but JSON can contain it.
        foreach (var (i, role) in request.Roles.Index().Where(role => role.Item is null || !Role.IsKnown(role.Item)))
        {
            errors.Report(
                "unknown_role",
                $"/roles/{i}",
                $"Role {Quote(role)} does not exist.",
                "Allowed: producer, worker, worker:<pool>, operator, approver, admin."
            );
        }

        foreach (var (i, group) in request.Groups.Index().Where(group => group.Item is null || !PrincipalName.IsValid(group.Item)))
        {
            errors.Report(
                "bad_group",
                $"/groups/{i}",
                $"{Quote(group)} is not a valid name of a group.",
                "Use 1 to 64 characters of a-z, 0-9, _ and -."
            );
        }

        return errors;
    }

    private static string Quote(string? seen) => seen is null ? "null" : $"\"{InputErrors.Cut(seen)}\"";
}
