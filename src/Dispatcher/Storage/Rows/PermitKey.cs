namespace Dispatcher.Storage.Rows;

/// <summary>
/// A key that signs permits. The newest signs; the two newest verify, so that a new key does not invalidate open permits.
/// </summary>
internal sealed record PermitKey
{
    public required string Kid { get; init; }
    public required byte[] Secret { get; init; }
    public long CreatedAt { get; init; }
}
