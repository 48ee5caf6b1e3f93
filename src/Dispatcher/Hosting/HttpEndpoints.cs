using Dispatcher.Base;
using Dispatcher.Broker;
using Dispatcher.Web;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;

namespace Dispatcher.Hosting;

/// <summary>Where HTTP listens, with which certificate and limits.</summary>
internal static class HttpEndpoints
{
    public static void AddHttpEndpoints(this WebApplicationBuilder builder, ServerSettings settings)
    {
        // Kestrel would listen there too, without the check of the addresses.
        if (builder.Configuration.GetSection("Kestrel:Endpoints").GetChildren().FirstOrDefault() is { } endpoint)
        {
            throw new ExitException(
                ExitCode.WrongUse,
                $"The configuration has {endpoint.Path}, which is not supported.",
                "Remove the variable Kestrel__Endpoints__…, and name every address in DISPATCHER_URLS (or --urls)."
            );
        }

        builder.WebHost.UseUrls(settings.Urls);

        // Large enough for every request; two endpoints set their own limit. Bodies are parsed in memory.
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = RawMessage.MaxBody);
        builder.Services.AddSingleton<IConfigureOptions<KestrelServerOptions>, ConnectionDrain>();
        if (settings is { TlsCertificateFile: { } certificate, TlsKeyFile: { } key })
        {
            builder.Services.AddSingleton(provider => ActivatorUtilities.CreateInstance<HttpCertificate>(provider, certificate, key));
            builder.Services.AddSingleton<IConfigureOptions<KestrelServerOptions>>(provider =>
                provider.GetRequiredService<HttpCertificate>()
            );
            builder.Services.AddHostedService(provider => provider.GetRequiredService<HttpCertificate>());
        }
    }
}
