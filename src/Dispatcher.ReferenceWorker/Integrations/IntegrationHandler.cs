using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.Worker;
using Dispatcher.Worker.Effects;
using Microsoft.Extensions.Options;

namespace Dispatcher.ReferenceWorker.Integrations;

/// <summary>
/// <c>job.integrations.call</c>: one HTTP call to <c>allowed_hosts</c>.
/// Payload <c>{"method": "GET", "url": "https://…", "headers": {}, "body": …}</c>, only <c>url</c> required. A body that is not a text
/// is sent as JSON.
/// Result <c>{"status", "url", "content_type", "location", "body", "encoding", "bytes", "truncated"}</c>; <c>encoding</c> is
/// <c>utf-8</c> or <c>base64</c>.
/// A call that may change something is an effect with the key <c>call</c>, sent along as <c>Idempotency-Key</c>. It never follows a
/// redirect. GET and HEAD follow redirects to allowed hosts; from the first other origin on, only harmless headers are sent.
/// The system resolves names at each connection. The network must prevent that an allowed name leads to an internal address (DNS
/// rebinding).
/// </summary>
internal sealed class IntegrationHandler(EgressClient egress, IOptions<ReferenceWorkerOptions> options, TimeProvider clock) : IJobHandler
{
    private const int MaxHops = 5;
    private const string EffectKey = "call";

    /// <summary>Headers that may follow a redirect to another origin. Any other could be a secret for the first origin.</summary>
    private static readonly HashSet<string> Harmless = new(StringComparer.OrdinalIgnoreCase)
    {
        "Accept",
        "Accept-Language",
        "Content-Type",
        "User-Agent",
    };

    public async Task<JobResult> RunAsync(JobRun run, CancellationToken cancellationToken)
    {
        var call = IntegrationCall.Read(run.Payload);
        HostRule.Check(call.Url, run.Constraints.AllowedHosts);
        if (call.IsSafe)
        {
            return JobResult.Of(await FollowAsync(run, call, null, cancellationToken));
        }

        var honoursKey = call.IsIdempotent || AllowedHosts.Allows([.. options.Value.HostsThatHonourKeys], call.Url);
        return JobResult.Of(
            await run.Effects.OnceAsync(EffectKey, (key, token) => PerformAsync(run, call, key, token), honoursKey, cancellationToken)
        );
    }

    // A receiver that refused or was not reached has changed nothing. After any other failure the effect is in doubt.
    private async Task<JsonElement> PerformAsync(JobRun run, IntegrationCall call, string key, CancellationToken cancellationToken)
    {
        try
        {
            return await FollowAsync(run, call, key, cancellationToken);
        }
        catch (JobFaultException fault)
            when (fault.FaultClass == FaultClass.Terminal || fault.Code is "unreachable" || IsRefusal(fault.Code))
        {
            throw new EffectNotDoneException(fault);
        }
    }

    private static bool IsRefusal(string code) =>
        code is "http:503" || (code.StartsWith("http:4", StringComparison.Ordinal) && code is not "http:408");

    private async Task<JsonElement> FollowAsync(JobRun run, IntegrationCall call, string? effectKey, CancellationToken cancellationToken)
    {
        var url = call.Url;
        var sameOrigin = true;
        for (var hop = 0; ; hop++)
        {
            HostRule.Check(url, run.Constraints.AllowedHosts);
            using var request = RequestOf(call, url, sameOrigin, effectKey);
            using var response = await SendAsync(request, cancellationToken);
            if (RedirectOf(call, url, response) is not { } next)
            {
                ThrowIfFailed(response, url);
                return await ResultAsync(response, url, run.MaxOutputBytes, cancellationToken);
            }

            if (hop == MaxHops)
            {
                throw JobFaultException.Terminal(
                    "too_many_redirects",
                    $"More than {MaxHops} redirects, the last to {HostRule.NameOf(next)}."
                );
            }

            Check(call, url, next);
            // Remains false after a return to the first origin: the other origin chose the address of that call.
            sameOrigin &=
                Uri.Compare(url, next, UriComponents.SchemeAndServer, UriFormat.Unescaped, StringComparison.OrdinalIgnoreCase) == 0;
            url = next;
        }
    }

    // Terminal: the receiver has changed nothing, and a retry gets the same answer.
    private static void Check(IntegrationCall call, Uri from, Uri to)
    {
        var problem =
            !call.IsSafe ? $"{call.Method} and its body are not sent on; call {HostRule.NameOf(to)} directly if that is meant"
            : from.Scheme == "https" && to.Scheme == "http" ? "it leads from https to http"
            : to.UserInfo.Length > 0 ? "it carries a user or password"
            : null;
        if (problem is not null)
        {
            throw JobFaultException.Terminal("redirect_refused", $"{HostRule.NameOf(from)} redirects to {HostRule.NameOf(to)}: {problem}.");
        }
    }

    private static HttpRequestMessage RequestOf(IntegrationCall call, Uri url, bool sameOrigin, string? effectKey)
    {
        var request = call.RequestTo(url, name => sameOrigin || Harmless.Contains(name));
        if (effectKey is not null)
        {
            request.Headers.TryAddWithoutValidation("Idempotency-Key", effectKey);
        }

        return request;
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        try
        {
            return await egress.SendAsync(request, cancellationToken);
        }
        catch (HttpRequestException exception)
        {
            var neverSent =
                exception.HttpRequestError
                is HttpRequestError.ConnectionError
                    or HttpRequestError.NameResolutionError
                    or HttpRequestError.SecureConnectionError
                    or HttpRequestError.ProxyTunnelError;
            throw JobFaultException.Transient(
                neverSent ? "unreachable" : "connection_lost",
                $"{HostRule.NameOf(request.RequestUri!)}: {exception.Message}",
                innerException: exception
            );
        }
    }

    // After a change, 301, 302 and 303 mean "done, the result is there", so that answer is taken as the result. 307 and 308 mean "send it
    // there".
    private static Uri? RedirectOf(IntegrationCall call, Uri url, HttpResponseMessage response)
    {
        var follow =
            response.StatusCode is HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect
            || (call.IsSafe && response.StatusCode is HttpStatusCode.MovedPermanently or HttpStatusCode.Found or HttpStatusCode.SeeOther);
        return follow && response.Headers.Location is { } location && Uri.TryCreate(url, location, out var next) ? next : null;
    }

    private void ThrowIfFailed(HttpResponseMessage response, Uri url)
    {
        var status = (int)response.StatusCode;
        if (status < 400)
        {
            return;
        }

        // The topic's table of faults decides whether a retry can help.
        throw new JobFaultException(
            null,
            "http:" + status.ToString(CultureInfo.InvariantCulture),
            $"{HostRule.NameOf(url)} answered {status}.",
            RetryAfter(response)
        );
    }

    // A date is read by the receiver's clock, which the same answer states.
    private TimeSpan? RetryAfter(HttpResponseMessage response) =>
        response.Headers.RetryAfter?.Delta
        ?? (response.Headers.RetryAfter?.Date is { } date ? date - (response.Headers.Date ?? clock.GetUtcNow()) : null);

    private static async Task<JsonElement> ResultAsync(
        HttpResponseMessage response,
        Uri url,
        int maxBytes,
        CancellationToken cancellationToken
    )
    {
        var (bytes, more) = await ReadAsync(response, maxBytes, cancellationToken);
        for (var keep = bytes.Length; ; keep /= 2)
        {
            var (body, encoding) = Text(bytes.AsSpan(0, keep), more || keep < bytes.Length);
            var result = JsonSerializer.SerializeToElement(
                new
                {
                    status = (int)response.StatusCode,
                    url = url.AbsoluteUri,
                    content_type = response.Content.Headers.ContentType?.ToString(),
                    location = response.Headers.Location?.ToString(),
                    body,
                    encoding,
                    bytes = response.Content.Headers.ContentLength ?? bytes.Length,
                    truncated = more || keep < bytes.Length,
                }
            );
            if (keep == 0 || JsonSerializer.SerializeToUtf8Bytes(result).Length <= maxBytes)
            {
                return result;
            }
        }
    }

    private static async Task<(byte[] Bytes, bool More)> ReadAsync(
        HttpResponseMessage response,
        int maxBytes,
        CancellationToken cancellationToken
    )
    {
        try
        {
            await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
            var buffer = new byte[maxBytes + 1];
            var read = await stream.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken);
            return (buffer[..Math.Min(read, maxBytes)], read > maxBytes);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            throw JobFaultException.Transient("connection_lost", "The answer broke off: " + exception.Message, innerException: exception);
        }
    }

    private static (string Body, string Encoding) Text(ReadOnlySpan<byte> bytes, bool cut)
    {
        // A character cut in two at the end does not make the text binary.
        for (var drop = 0; drop <= (cut ? 3 : 0) && drop <= bytes.Length; drop++)
        {
            var whole = bytes[..(bytes.Length - drop)];
            if (System.Text.Unicode.Utf8.IsValid(whole) && !whole.Contains((byte)0))
            {
                return (Encoding.UTF8.GetString(whole), "utf-8");
            }
        }

        return (Convert.ToBase64String(bytes), "base64");
    }
}
