using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Dispatcher.Broker;

/// <summary>What is known of a body that was too large to keep.</summary>
internal sealed record CutBody(long Length, string Sha256)
{
    /// <summary>How much of a body is left: as much as a dead letter keeps.</summary>
    public const int CutBytes = 65_536;

    /// <summary>What a body that was cut at the socket has behind its first bytes.</summary>
    public const int TrailerBytes = SecretBytes + sizeof(long) + SHA256.HashSizeInBytes;

    private const int SecretBytes = 32;

    /// <summary>Tells a trailer of ours from bytes of a sender.</summary>
    private static readonly byte[] Secret = RandomNumberGenerator.GetBytes(SecretBytes);

    public static byte[] Trailer(long length, ReadOnlySpan<byte> sha256)
    {
        var trailer = new byte[TrailerBytes];
        Secret.CopyTo(trailer, 0);
        BinaryPrimitives.WriteInt64BigEndian(trailer.AsSpan(SecretBytes), length);
        sha256.CopyTo(trailer.AsSpan(SecretBytes + sizeof(long)));
        return trailer;
    }

    /// <summary>Null: the body is whole. With TLS, bodies are not cut at the socket: one that is too large is cut here.</summary>
    public static CutBody? Of(ReadOnlySpan<byte> body)
    {
        if (body.Length == CutBytes + TrailerBytes && body[CutBytes..].StartsWith(Secret))
        {
            var known = body[(CutBytes + SecretBytes)..];
            return new CutBody(BinaryPrimitives.ReadInt64BigEndian(known), Convert.ToHexStringLower(known[sizeof(long)..]));
        }

        return body.Length > RawMessage.LargestBody ? new CutBody(body.Length, Convert.ToHexStringLower(SHA256.HashData(body))) : null;
    }
}
