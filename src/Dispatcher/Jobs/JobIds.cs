using Dispatcher.Base;

namespace Dispatcher.Jobs;

/// <summary>
/// Resolves a conflict of two principals that chose the same job id, by chance or because one guessed the id of the other. The first job
/// has the id itself. The second has an id that is derived from its principal and the chosen id. So no principal can block an id for
/// another.
/// </summary>
internal static class JobIds
{
    /// <summary>
    /// The version (RFC 9562) of derived ids. A submission must not name an id of this version, so that none can be taken in advance.
    /// </summary>
    private const int DerivedVersion = 8;

    /// <summary>
    /// The derived id for a principal and the id that it chose. The same arguments always give the same id.
    /// </summary>
    public static Guid Derived(string principal, Guid chosen)
    {
        Span<byte> id = stackalloc byte[16];
        UuidV5.Of("own", principal, chosen.ToString("D")).TryWriteBytes(id, bigEndian: true, out _);
        id[6] = (byte)((id[6] & 0x0F) | (DerivedVersion << 4));
        return new Guid(id, bigEndian: true);
    }

    /// <summary>Whether the id is a derived one: only <see cref="Derived"/> makes ids of this version.</summary>
    public static bool IsDerived(Guid id) => id.Version == DerivedVersion;
}
