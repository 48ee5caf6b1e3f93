using System.Net;
using System.Text.RegularExpressions;

namespace Dispatcher.Contracts;

/// <summary>
/// Reads and compares the entries of <see cref="Constraints.AllowedHosts"/>. The policy engine and the workers use the
/// same code. <c>host</c> allows the ports 80 and 443; <c>host:port</c> allows that port only.
/// </summary>
public static partial class AllowedHosts
{
    /// <summary>The form of an entry, as a phrase for error messages.</summary>
    public const string Words =
        "a host name in lower case, an IPv4 address or an IPv6 address in brackets, which allow the ports 80 and 443, "
        + "or one with :port (1 to 65535), which allows that port only; no scheme, path or wildcard";

    private static readonly string[] DefaultPorts = [":80", ":443"];

    /// <summary>
    /// Whether an entry has the form that is compared. An IPv6 address must be in its shortest form, for example
    /// <c>[::1]:8080</c>.
    /// </summary>
    public static bool IsWellFormed(string entry) =>
        Entry().Match(entry) is { Success: true } match
        && (
            match.Groups["ipv6"] is not { Success: true, Value: var address }
            || (IPAddress.TryParse(address, out var parsed) && parsed.ToString() == address)
        );

    /// <summary>Whether one of the entries allows a call to this URL. The scheme is ignored.</summary>
    public static bool Allows(IReadOnlyList<string> entries, Uri url) => Covers(entries, $"{HostOf(url)}:{url.Port}");

    /// <summary>The entry that allows this URL: its host, and its port unless that is 80 or 443.</summary>
    public static string EntryOf(Uri url) => url.Port is 80 or 443 ? HostOf(url) : $"{HostOf(url)}:{url.Port}";

    /// <summary>Whether the entries allow everything that <paramref name="entry"/> allows.</summary>
    public static bool Covers(IReadOnlyList<string> entries, string entry) =>
        entries.Contains(entry, StringComparer.Ordinal)
        || DefaultPorts.Any(port =>
            entry.EndsWith(port, StringComparison.Ordinal) && entries.Contains(entry[..^port.Length], StringComparer.Ordinal)
        );

    /// <summary>The entries that both lists allow, sorted. Empty: no host is in both lists.</summary>
    public static IReadOnlyList<string> Intersect(IReadOnlyList<string> one, IReadOnlyList<string> other) =>
        [
            .. one.Where(entry => Covers(other, entry))
                .Union(other.Where(entry => Covers(one, entry)), StringComparer.Ordinal)
                .Order(StringComparer.Ordinal),
        ];

    private static string HostOf(Uri url) => (url.HostNameType == UriHostNameType.IPv6 ? url.Host : url.IdnHost).ToLowerInvariant();

    [GeneratedRegex(
        @"\A((?=[^:]{1,253}(:|\z))[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*|\[(?<ipv6>[0-9a-f:.]{2,45})\])"
            + @"(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?\z",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture
    )]
    private static partial Regex Entry();
}
