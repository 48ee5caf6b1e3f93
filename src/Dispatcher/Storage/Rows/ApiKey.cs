namespace Dispatcher.Storage.Rows;

/// <summary>
/// A key for the HTTP API, or a binding of a principal to a person. Only the hash of the secret is stored. A row without roles is a
/// binding: no secret exists for it.
/// </summary>
internal sealed record ApiKey
{
    /// <summary>The public half, safe to show: the first part of the key.</summary>
    public required string KeyId { get; init; }

    /// <summary>SHA-256 of the whole key, hex. A key is 256 random bits, so that a fast hash is enough.</summary>
    public required string SecretHash { get; init; }

    /// <summary>The principal, <c>[a-z0-9_-]{1,64}</c>: one namespace with broker users.</summary>
    public required string Subject { get; init; }

    /// <summary>
    /// The person who uses the subject or is responsible for it. Two keys of one person count as one voter. Empty: the key names no person.
    /// It cannot vote, and no job of its subject can be approved.
    /// </summary>
    public required string Person { get; init; }

    public required IReadOnlyList<string> Roles { get; init; }
    public required IReadOnlyList<string> Groups { get; init; }
    public long CreatedAt { get; init; }
    public long? RevokedAt { get; init; }
}
