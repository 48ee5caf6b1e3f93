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
/// <c>job.integrations.call</c>: one HTTP call within <c>allowed_hosts</c>.
/// Payload <c>{"method": "GET", "url": "https://…", "headers": {}, "body": …}</c>, only <c>url</c> required; a body that is no text is sent as JSON.
/// Result <c>{"status", "url", "content_type", "location", "body", "encoding", "bytes", "truncated"}</c>; <c>encoding</c> is <c>utf-8</c> or <c>base64</c>.
/// A call that may change something is an effect with the key <c>call</c>, sent along as <c>Idempotency-Key</c>; it is never sent on to where a redirect points.
/// GET and HEAD follow redirects to allowed hosts; from the first other origin on, only harmless headers go along. Names are resolved by the system at each connection:
/// that a listed name leads to an address inside the network (DNS rebinding) is for the network to prevent.
/// </summary>
internal sealed class IntegrationHandler(EgressClient egress, IOptions<ReferenceWorkerOptions> options, TimeProvider clock) : IJobHandler
{
    private const int MaxHops = 5;
    private const string EffectKey = "call";

    /// <summary>May follow a redirect to another origin; everything else could be a secret for the first one.</summary>
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
            await run.Effects.OnceAsync(EffectKey, (key, token) => CauseAsync(run, call, key, token), honoursKey, cancellationToken)
        );
    }

    // A receiver that said no, or was never reached, has done nothing; after any other failure nobody knows.
    private async Task<JsonElement> CauseAsync(JobRun run, IntegrationCall call, string key, CancellationToken cancellationToken)
    {
        try
        {
            return await FollowAsync(run, call, key, cancellationToken);
        }
        catch (JobFaultException fault) when (fault.FaultClass == FaultClass.Terminal || fault.Code is "unreachable" || SaysNo(fault.Code))
        {
            throw new EffectNotDoneException(fault);
        }
    }

    private static bool SaysNo(string code) =>
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
            // Once left, never the same again: the other origin chose the address by which the call comes back.
            sameOrigin &=
                Uri.Compare(url, next, UriComponents.SchemeAndServer, UriFormat.Unescaped, StringComparison.OrdinalIgnoreCase) == 0;
            url = next;
        }
    }

    // Terminal: the receiver has done nothing, and will answer the same again.
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

    // 301, 302 and 303 after a change mean "done, look there": that answer is the result. 307 and 308 mean "not here, ask there".
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

        // Whether it may pass, the registry's table says.
        throw new JobFaultException(
            null,
            "http:" + status.ToString(CultureInfo.InvariantCulture),
            $"{HostRule.NameOf(url)} answered {status}.",
            RetryAfter(response)
        );
    }

    // A date is of the receiver's clock, which says in the same answer what time it is.
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
        // A character cut in two at the end does not make a text binary.
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
