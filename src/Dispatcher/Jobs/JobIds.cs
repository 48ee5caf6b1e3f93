using Dispatcher.Base;

namespace Dispatcher.Jobs;

/// <summary>
/// Two principals may choose the same job id: by chance, or because one guessed the other's. The first one's job has the id itself; the
/// other's has an id that is derived from its principal and the chosen id. So nobody can keep an id from its principal.
/// </summary>
internal static class JobIds
{
    /// <summary>
    /// The version (RFC 9562) of derived ids. A submission may not name an id of this version, so that nobody can take one in advance.
    /// </summary>
    private const int OwnVersion = 8;

    /// <summary>
    /// The id of a principal's job when another principal has a job or a denial under the id that it chose. Always the same.
    /// </summary>
    public static Guid Own(string principal, Guid chosen)
    {
        Span<byte> id = stackalloc byte[16];
        UuidV5.Of("own", principal, chosen.ToString("D")).TryWriteBytes(id, bigEndian: true, out _);
        id[6] = (byte)((id[6] & 0x0F) | (OwnVersion << 4));
        return new Guid(id, bigEndian: true);
    }

    /// <summary>Whether only <see cref="Own"/> makes such ids.</summary>
    public static bool IsOwn(Guid id) => id.Version == OwnVersion;
}
