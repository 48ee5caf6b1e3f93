using System.Net;
using Dispatcher.Base;

namespace Dispatcher.CommandLine;

/// <summary>
/// Checks the addresses that HTTP listens at. Requests contain API keys, so plain HTTP is allowed only within this machine, unless the
/// operator allows more.
/// </summary>
internal static class ListenUrls
{
    public const string Default = "http://127.0.0.1:8080";

    private const string Name = "DISPATCHER_URLS (or --urls)";

    /// <exception cref="ExitException">An address cannot be read, or plain HTTP would be reachable from other machines.</exception>
    public static void Check(string urls, bool allowPlainHttp)
    {
        foreach (var url in urls.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).DefaultIfEmpty(""))
        {
            var address = Parse(url);
            if (!allowPlainHttp && !IsHttps(address) && !IsWithinMachine(address))
            {
                throw new ExitException(
                    ExitCode.WrongUse,
                    $"{Name} has \"{url}\": other machines could send API keys there in plain text.",
                    "Listen at https:// with DISPATCHER_TLS_CERT_FILE and DISPATCHER_TLS_KEY_FILE, or at 127.0.0.1. Behind a proxy that "
                        + "ends TLS, or in a private network, set DISPATCHER_ALLOW_PLAIN_HTTP=true (or --allow-plain-http)."
                );
            }
        }
    }

    private static BindingAddress Parse(string url)
    {
        try
        {
            var address = BindingAddress.Parse(url);
            return address.Scheme.ToLowerInvariant() is "http" or "https"
                ? address
                : throw new FormatException($"{address.Scheme} is not a scheme of HTTP.");
        }
        catch (FormatException)
        {
            throw new ExitException(
                ExitCode.WrongUse,
                $"{Name} has \"{url}\", which is not an address to listen at.",
                $"For example {Default}, or https://0.0.0.0:8443 for every network of this machine."
            );
        }
    }

    private static bool IsHttps(BindingAddress address) => address.Scheme.Equals("https", StringComparison.OrdinalIgnoreCase);

    /// <summary>The server listens at every network for each host that is not an IP address or localhost.</summary>
    private static bool IsWithinMachine(BindingAddress address) =>
        address.IsUnixPipe
        || address.Host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || (IPAddress.TryParse(address.Host.Trim('[', ']'), out var ip) && IPAddress.IsLoopback(ip));
}
