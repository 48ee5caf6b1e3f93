using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Dispatcher.Broker;

/// <summary>Length and hash of a body that was too large and was cut to its first bytes.</summary>
internal sealed record CutBody(long Length, string Sha256)
{
    /// <summary>Bytes of the body that stay: as many as a dead letter keeps.</summary>
    public const int KeptBytes = 65_536;

    /// <summary>
    /// Length of the trailer: secret, length and hash. <see cref="InboundFrames"/> adds it to the first bytes of a cut body.
    /// </summary>
    public const int TrailerBytes = SecretBytes + sizeof(long) + SHA256.HashSizeInBytes;

    private const int SecretBytes = 32;

    /// <summary>Distinguishes a trailer from the bytes of a sender.</summary>
    private static readonly byte[] Secret = RandomNumberGenerator.GetBytes(SecretBytes);

    public static byte[] Trailer(long length, ReadOnlySpan<byte> sha256)
    {
        var trailer = new byte[TrailerBytes];
        Secret.CopyTo(trailer, 0);
        BinaryPrimitives.WriteInt64BigEndian(trailer.AsSpan(SecretBytes), length);
        sha256.CopyTo(trailer.AsSpan(SecretBytes + sizeof(long)));
        return trailer;
    }

    /// <summary>Null: the body is whole. <see cref="InboundFrames"/> cuts far larger bodies; the others are cut here.</summary>
    public static CutBody? Of(ReadOnlySpan<byte> body)
    {
        if (body.Length == KeptBytes + TrailerBytes && body[KeptBytes..].StartsWith(Secret))
        {
            var known = body[(KeptBytes + SecretBytes)..];
            return new CutBody(BinaryPrimitives.ReadInt64BigEndian(known), Convert.ToHexStringLower(known[sizeof(long)..]));
        }

        return body.Length > RawMessage.MaxBody ? new CutBody(body.Length, Convert.ToHexStringLower(SHA256.HashData(body))) : null;
    }
}
