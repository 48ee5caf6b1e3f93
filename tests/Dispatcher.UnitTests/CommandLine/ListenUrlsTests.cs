using Dispatcher.Base;
using Dispatcher.CommandLine;

namespace Dispatcher.UnitTests.CommandLine;

public sealed class ListenUrlsTests
{
    [Theory]
    [InlineData("http://127.0.0.1:8080")]
    [InlineData("http://127.1.2.3:8080")]
    [InlineData("http://[::1]:8080")]
    [InlineData("HTTP://LocalHost:8080")]
    [InlineData("http://unix:/run/dispatcher.sock")]
    [InlineData("https://0.0.0.0:8443")]
    [InlineData("https://*:8443;http://127.0.0.1:8080")]
    public void Address_within_the_machine_or_with_TLS_is_allowed(string urls) => Check(urls);

    [Theory]
    [InlineData("http://0.0.0.0:8080")]
    [InlineData("http://[::]:8080")]
    [InlineData("http://*:8080")]
    [InlineData("http://+:8080")]
    [InlineData("http://10.0.0.5:8080")]
    [InlineData("http://localhost.example:8080")]
    [InlineData("https://0.0.0.0:8443; http://dispatcher:8080")]
    public void Plain_HTTP_beyond_the_machine_is_refused_unless_it_is_allowed(string urls)
    {
        var refused = Assert.Throws<ExitException>(() => Check(urls));

        Assert.Equal(ExitCode.WrongUse, refused.Code);
        Assert.Contains(urls.Split(';')[^1].Trim(), refused.Message, StringComparison.Ordinal);
        Assert.Contains("DISPATCHER_TLS_CERT_FILE", refused.Fix, StringComparison.Ordinal);
        Assert.Contains("DISPATCHER_ALLOW_PLAIN_HTTP=true", refused.Fix, StringComparison.Ordinal);
        Check(urls, allowPlainHttp: true);
    }

    [Theory]
    [InlineData("")]
    [InlineData("here")]
    [InlineData("amqp://127.0.0.1:8080")]
    [InlineData("https://127.0.0.1:8443;there")]
    public void Text_that_is_not_an_address_is_refused_also_if_plain_HTTP_is_allowed(string urls)
    {
        var refused = Assert.Throws<ExitException>(() => Check(urls, allowPlainHttp: true));

        Assert.Equal(ExitCode.WrongUse, refused.Code);
        Assert.Contains("not an address to listen at", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https://127.0.0.1:8443", null, null, "no certificate")]
    [InlineData("https://127.0.0.1:8443", "cert.pem", null, "no private key")]
    [InlineData("https://127.0.0.1:8443", null, "key.pem", "no certificate")]
    [InlineData("http://127.0.0.1:8080", null, "key.pem", "DISPATCHER_TLS_KEY_FILE (or --tls-key) is set")]
    [InlineData("http://127.0.0.1:8080", "cert.pem", "key.pem", "has no https:// address")]
    public void Address_and_certificate_that_do_not_fit_are_refused(string urls, string? certificate, string? key, string said)
    {
        var refused = Assert.Throws<ExitException>(() => ListenUrls.Check(Settings(urls, certificate, key)));

        Assert.Equal(ExitCode.WrongUse, refused.Code);
        Assert.Contains(said, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Serve_refuses_plain_HTTP_beyond_the_machine()
    {
        var refused = await CommandLineCall.RunAsync("serve", "--data", "/nowhere", "--urls", "http://0.0.0.0:8080");

        Assert.Equal(2, refused.Code);
        Assert.Contains("http://0.0.0.0:8080", refused.Error, StringComparison.Ordinal);
        Assert.Contains("DISPATCHER_ALLOW_PLAIN_HTTP=true", refused.Error, StringComparison.Ordinal);
    }

    /// <summary>With a certificate where an address needs one.</summary>
    private static void Check(string urls, bool allowPlainHttp = false)
    {
        var file = urls.Contains("https://", StringComparison.Ordinal) ? "file.pem" : null;
        ListenUrls.Check(Settings(urls, file, file) with { AllowPlainHttp = allowPlainHttp });
    }

    private static ServerSettings Settings(string urls, string? certificate, string? key) =>
        new()
        {
            PolicyFolder = "policies",
            Urls = urls,
            TlsCertificateFile = certificate,
            TlsKeyFile = key,
        };
}
