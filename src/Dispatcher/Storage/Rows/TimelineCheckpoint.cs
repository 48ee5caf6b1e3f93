using System.Globalization;
using System.Text;

namespace Dispatcher.Storage.Rows;

/// <summary>
/// A signed statement of what the history was: its size, the root of the Merkle tree over the hashes of its seals (RFC 6962, each hash one leaf), and the hash
/// of the last one. Kept in the store and, where the store's owner cannot reach, in a file: whoever has it sees a history that was cut or written anew.
/// </summary>
internal sealed record TimelineCheckpoint
{
    /// <summary>Number of seals; the last one's <c>seq</c>.</summary>
    public required long Size { get; init; }

    /// <summary>Which key signed, see <c>CheckpointKey.IdOf</c>.</summary>
    public required string KeyId { get; init; }

    /// <summary>Which history: <c>dispatcher/</c> and the first 16 hexadecimal digits of its first seal's hash.</summary>
    public required string Origin { get; init; }

    public required byte[] Root { get; init; }

    /// <summary>Hash of the last seal.</summary>
    public required byte[] Head { get; init; }

    /// <summary>Microseconds since 1970 by the database's clock.</summary>
    public required long At { get; init; }

    /// <summary>ECDSA P-256 with SHA-256 over <see cref="SignedText"/>, in DER as <c>openssl dgst -sha256 -verify</c> takes it.</summary>
    public byte[] Signature { get; init; } = [];

    /// <summary>The tree itself, so that the next checkpoint need not read the whole history. Not signed: its root is. Empty where it is not known.</summary>
    public byte[] Frontier { get; init; } = [];

    public byte[] SignedText() =>
        Encoding.UTF8.GetBytes(
            string.Create(
                CultureInfo.InvariantCulture,
                $"dispatcher/checkpoint/v1\n{Origin}\n{Size}\n{Convert.ToHexStringLower(Root)}\n{Convert.ToHexStringLower(Head)}\n{At}\n{KeyId}\n"
            )
        );

    public static string OriginOf(byte[] firstHash) => "dispatcher/" + Convert.ToHexStringLower(firstHash)[..16];
}
