using System.Text;
using System.Text.Json;
using Dispatcher.ReferenceWorker.Payloads;

namespace Dispatcher.ReferenceWorker.Integrations;

/// <summary>The payload of <c>job.integrations.call</c>.</summary>
internal sealed record Call(HttpMethod Method, Uri Url, IReadOnlyDictionary<string, string> Headers, byte[]? Body, bool BodyIsJson)
{
    private static readonly string[] Methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

    /// <summary>What the connection, the effect guard or the host rule decide, and a message must not.</summary>
    private static readonly HashSet<string> Reserved = new(StringComparer.OrdinalIgnoreCase)
    {
        "Host", "Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "Expect", "TE", "Trailer", "Proxy-Authorization", "Idempotency-Key",
    };

    /// <summary>RFC 9110, 9.2.1: asks and changes nothing, so that it needs no guard.</summary>
    public bool IsSafe => Method == HttpMethod.Get || Method == HttpMethod.Head;

    /// <summary>RFC 9110, 9.2.2: twice is as once.</summary>
    public bool IsIdempotent => IsSafe || Method == HttpMethod.Put || Method == HttpMethod.Delete;

    public static Call Read(JsonElement json)
    {
        var payload = new PayloadReader(json);
        var method = payload.OptionalText("method") ?? "GET";
        var address = payload.RequiredText("url");
        var headers = payload.OptionalMap("headers");
        var body = payload.OptionalValue("body");
        payload.Require(Methods.Contains(method, StringComparer.Ordinal), $"'method' must be one of {string.Join(", ", Methods)}, not '{method}'");
        var isUrl = Uri.TryCreate(address, UriKind.Absolute, out var url) && url.Host.Length > 0;
        payload.Require(address.Length == 0 || isUrl, "'url' must be an absolute address");
        payload.Require(!isUrl || url!.UserInfo.Length == 0, "'url' must not carry a user or password: use a header");
        payload.Require(body is null || method is not ("GET" or "HEAD"), "'body' is not for GET and HEAD");
        foreach (var (name, value) in headers)
        {
            payload.Require(!Reserved.Contains(name), $"'headers' must not set {name}");
            payload.Require(IsToken(name), $"'headers' has a name that is no header name: '{name}'");
            payload.Require(!value.Any(char.IsControl), $"'headers' has control characters in {name}");
        }

        payload.Done();
        var isText = body is { ValueKind: JsonValueKind.String };
        var bytes = body is { } value2 ? Encoding.UTF8.GetBytes(isText ? value2.GetString()! : value2.GetRawText()) : null;
        return new Call(new HttpMethod(method), url!, headers, bytes, !isText);
    }

    private static bool IsToken(string name) => name.Length > 0 && name.All(c => char.IsAsciiLetterOrDigit(c) || "!#$%&'*+-.^_`|~".Contains(c, StringComparison.Ordinal));
}
