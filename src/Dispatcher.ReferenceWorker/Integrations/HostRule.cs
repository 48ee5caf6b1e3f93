using Dispatcher.Contracts;
using Dispatcher.Worker;

namespace Dispatcher.ReferenceWorker.Integrations;

/// <summary>Where a call may go: by http or https to <c>allowed_hosts</c>. Pure.</summary>
internal static class HostRule
{
    /// <summary>A host as written in the list, for example <c>api.github.com</c> or <c>127.0.0.1:8080</c>.</summary>
    public static string NameOf(Uri url) => AllowedHosts.EntryOf(url);

    /// <summary>Throws a terminal fault unless the address may be called.</summary>
    public static void Check(Uri url, IReadOnlyList<string>? allowedHosts)
    {
        if (url.Scheme is not ("http" or "https"))
        {
            throw JobFaultException.Terminal("scheme_not_allowed", $"'{url.Scheme}' is not allowed: only http and https are.");
        }

        // Without a list, no host is allowed: the decision must name the hosts.
        if (allowedHosts is null)
        {
            throw JobFaultException.Terminal("host_not_allowed", "The decision names no allowed_hosts, so no host may be called.");
        }

        if (!AllowedHosts.Allows(allowedHosts, url))
        {
            throw JobFaultException.Terminal(
                "host_not_allowed",
                $"'{NameOf(url)}' is not allowed (allowed: {string.Join(", ", allowedHosts)})."
            );
        }
    }
}
