using System.Globalization;
using System.Text;

namespace Dispatcher.Storage.Rows;

/// <summary>
/// A signed statement of the history: its size, the root of the Merkle tree over the hashes of its seals (RFC 6962, each hash one leaf),
/// and the hash of the last seal. It is kept in the store, and in a file that the owner of the store cannot change. Comparing both shows a
/// history that was cut or rewritten.
/// </summary>
internal sealed record TimelineCheckpoint
{
    /// <summary>Number of seals, which is the <c>seq</c> of the last one.</summary>
    public required long Size { get; init; }

    /// <summary>Id of the key that signed, see <c>CheckpointKey.IdOf</c>.</summary>
    public required string KeyId { get; init; }

    /// <summary>Id of the history: <c>dispatcher/</c> and the first 16 hexadecimal digits of the hash of its first seal.</summary>
    public required string Origin { get; init; }

    public required byte[] Root { get; init; }

    /// <summary>Hash of the last seal.</summary>
    public required byte[] Head { get; init; }

    /// <summary>Microseconds since 1970 by the database's clock.</summary>
    public required long At { get; init; }

    /// <summary>ECDSA P-256 with SHA-256 over <see cref="SignedText"/>, in DER as <c>openssl dgst -sha256 -verify</c> takes it.</summary>
    public byte[] Signature { get; init; } = [];

    /// <summary>
    /// The frontier of the tree, so that the next checkpoint does not read the whole history. Not signed, because the signed root covers
    /// it. Empty: not known.
    /// </summary>
    public byte[] Frontier { get; init; } = [];

    public byte[] SignedText() =>
        Encoding.UTF8.GetBytes(
            string.Create(
                CultureInfo.InvariantCulture,
                $"dispatcher/checkpoint/v1\n{Origin}\n{Size}\n{Convert.ToHexStringLower(Root)}\n{Convert.ToHexStringLower(Head)}\n"
                    + $"{At}\n{KeyId}\n"
            )
        );

    public static string OriginOf(byte[] firstHash) => "dispatcher/" + Convert.ToHexStringLower(firstHash)[..16];
}
