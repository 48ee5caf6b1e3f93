using System.Text;
using System.Text.Json;
using Dispatcher.ReferenceWorker.Payloads;

namespace Dispatcher.ReferenceWorker.Integrations;

/// <summary>The payload of <c>job.integrations.call</c>.</summary>
internal sealed record IntegrationCall(
    HttpMethod Method,
    Uri Url,
    IReadOnlyDictionary<string, string> Headers,
    byte[]? Body,
    bool BodyIsJson
)
{
    private static readonly string[] Methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

    /// <summary>Headers that the connection, the effect guard or the host rule sets, and a message must not.</summary>
    private static readonly HashSet<string> Reserved = new(StringComparer.OrdinalIgnoreCase)
    {
        "Host",
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "Keep-Alive",
        "Proxy-Connection",
        "Proxy-Authorization",
        "Upgrade",
        "HTTP2-Settings",
        "Expect",
        "TE",
        "Trailer",
        "Idempotency-Key",
    };

    /// <summary>The charsets a body may declare: the one it is sent in, and its subset.</summary>
    private static readonly string[] SentAs = ["utf-8", "us-ascii"];

    /// <summary>RFC 9110, 9.2.1: the call only reads, so it needs no guard.</summary>
    public bool IsSafe => Method == HttpMethod.Get || Method == HttpMethod.Head;

    /// <summary>RFC 9110, 9.2.2: two calls have the same effect as one.</summary>
    public bool IsIdempotent => IsSafe || Method == HttpMethod.Put || Method == HttpMethod.Delete;

    public static IntegrationCall Read(JsonElement json)
    {
        var payload = new PayloadReader(json);
        var method = payload.OptionalText("method") ?? "GET";
        var address = payload.RequiredText("url");
        var headers = payload.OptionalMap("headers");
        var body = payload.OptionalValue("body");
        payload.Require(
            Methods.Contains(method, StringComparer.Ordinal),
            $"'method' must be one of {string.Join(", ", Methods)}, not '{method}'"
        );
        var isUrl = Uri.TryCreate(address, UriKind.Absolute, out var url) && url.Host.Length > 0;
        payload.Require(address.Length == 0 || isUrl, "'url' must be an absolute address");
        payload.Require(
            !isUrl || IsReachable(url!),
            "'url' has an invalid host or port: a name has at most 253 characters and 63 between dots, a port is 1 to 65535"
        );
        payload.Require(!isUrl || url!.UserInfo.Length == 0, "'url' must not carry a user or password: use a header");
        payload.Require(body is null || method is not ("GET" or "HEAD"), "'body' is not for GET and HEAD");
        foreach (var (name, value) in headers)
        {
            payload.Require(!Reserved.Contains(name), $"'headers' must not set {name}");
            payload.Require(IsToken(name), $"'headers' has '{name}', which is not a header name");
            payload.Require(!value.Any(char.IsControl), $"'headers' has control characters in {name}");
            var foreign = value.FirstOrDefault(c => !char.IsAscii(c));
            payload.Require(
                foreign == default,
                $"'headers' has U+{(int)foreign:X4} in {name}, and only ASCII can be sent: encode the value as the receiver expects, "
                    + "for example percent-encoded"
            );
        }

        foreach (var same in headers.Keys.GroupBy(name => name, StringComparer.OrdinalIgnoreCase))
        {
            payload.Require(same.Count() == 1, $"'headers' has {same.Key} twice");
        }

        // After an error so far, the request cannot be checked further.
        payload.Done();
        var isText = body is { ValueKind: JsonValueKind.String };
        var bytes = body is { } value2 ? Encoding.UTF8.GetBytes(isText ? value2.GetString()! : value2.GetRawText()) : null;
        var call = new IntegrationCall(new HttpMethod(method), url!, headers, bytes, !isText);
        call.CheckContent(payload);
        payload.Done();
        return call;
    }

    /// <summary>The request to this address, with the headers that the filter lets pass.</summary>
    public HttpRequestMessage RequestTo(Uri url, Func<string, bool> mayGo)
    {
        var request = new HttpRequestMessage(Method, url);
        if (Body is { } body)
        {
            request.Content = new ByteArrayContent(body);
            request.Content.Headers.TryAddWithoutValidation("Content-Type", BodyIsJson ? "application/json" : "text/plain; charset=utf-8");
        }

        foreach (var (name, value) in Headers.Where(header => mayGo(header.Key)))
        {
            if (!request.Headers.TryAddWithoutValidation(name, value))
            {
                // The header describes the content; Content-Type is set already.
                request.Content?.Headers.Remove(name);
                request.Content?.Headers.TryAddWithoutValidation(name, value);
            }
        }

        return request;
    }

    /// <summary>Checks for headers that the HTTP library would omit or the receiver would misread.</summary>
    private void CheckContent(PayloadReader payload)
    {
        using var request = RequestTo(Url, _ => true);
        foreach (var name in Headers.Keys)
        {
            var isSent = request.Headers.NonValidated.Contains(name) || request.Content?.Headers.NonValidated.Contains(name) == true;
            payload.Require(
                isSent,
                request.Content is null
                    ? $"'headers' has {name}, which describes a body, and there is none"
                    : $"'headers' has {name}, which cannot be sent"
            );
        }

        var charset = request.Content?.Headers.ContentType?.CharSet?.Trim('"');
        payload.Require(
            charset is null || SentAs.Contains(charset, StringComparer.OrdinalIgnoreCase),
            $"'headers' declares charset {charset}, and the body is sent as utf-8"
        );
        payload.Require(
            request.Content?.Headers.ContentEncoding.All(coding => coding.Equals("identity", StringComparison.OrdinalIgnoreCase)) != false,
            "'headers' declares Content-Encoding, and the body is sent without encoding"
        );
    }

    /// <summary>Whether a resolver and a socket accept the address.</summary>
    private static bool IsReachable(Uri url) =>
        url.Port != 0
        && url.IdnHost is { Length: <= 253 } host
        && host.Split('.') is var labels
        && labels.SkipLast(1).All(label => label.Length is > 0 and <= 63)
        && labels[^1].Length <= 63
        && Uri.CheckHostName(host) != UriHostNameType.Unknown;

    private static bool IsToken(string name) =>
        name.Length > 0 && name.All(c => char.IsAsciiLetterOrDigit(c) || "!#$%&'*+-.^_`|~".Contains(c, StringComparison.Ordinal));
}
