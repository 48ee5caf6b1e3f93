using System.Security.Cryptography;
using System.Text;

namespace Dispatcher.Base;

/// <summary>Name-based ids (RFC 9562, version 5): the same parts give the same id on every machine.</summary>
internal static class UuidV5
{
    /// <summary>The namespace of Dispatcher's ids: a fixed, arbitrary value.</summary>
    private static readonly byte[] Namespace = Guid.Parse("6f1d8a3e-54c2-5b0c-9a67-2f1f0b7c4d11").ToByteArray(bigEndian: true);

    /// <summary>Parts are joined by U+0000, which no part can contain.</summary>
    public static Guid Of(params ReadOnlySpan<string> parts)
    {
        var name = Encoding.UTF8.GetBytes(string.Join('\0', parts!));
#pragma warning disable CA5350 // The format requires SHA-1. No security depends on it: a collision is answered as a conflict.
        var hash = SHA1.HashData([.. Namespace, .. name]);
#pragma warning restore CA5350
        hash[6] = (byte)((hash[6] & 0x0F) | 0x50);
        hash[8] = (byte)((hash[8] & 0x3F) | 0x80);
        return new Guid(hash.AsSpan(0, 16), bigEndian: true);
    }
}
