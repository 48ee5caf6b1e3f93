namespace Dispatcher.Storage.Rows;

/// <summary>A key that signs permits. The newest signs; the two newest verify, so that a new one can be added while permits are under way.</summary>
internal sealed record PermitKey
{
    public required string Kid { get; init; }
    public required byte[] Secret { get; init; }
    public long CreatedAt { get; init; }
}
