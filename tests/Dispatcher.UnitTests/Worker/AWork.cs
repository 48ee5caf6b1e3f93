using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json;
using Dispatcher.Contracts;

namespace Dispatcher.UnitTests.Worker;

/// <summary>A work message with the permit that fits it, as the server sends them.</summary>
internal sealed class AWork
{
    private PermitClaims? _claims;

    public WorkMessage Message { get; private set; } =
        new()
        {
            JobId = Guid.CreateVersion7(),
            Attempt = 1,
            Topic = "job.test",
            Principal = "tester",
            Labels = new Dictionary<string, string>(),
            Payload = JsonSerializer.SerializeToElement(new { }),
            StartBy = TimeProvider.System.GetUtcNow().AddMinutes(1),
            RunUntilMs = 60_000,
            HeartbeatMs = 5_000,
            PolicyHash = new string('a', 64),
            JobHash = new string('b', 64),
        };

    public byte[] Body => JsonSerializer.SerializeToUtf8Bytes(Message, WireJson.Default.WorkMessage);

    public string? Permit => Jws(_claims ?? Claims());

    public static AWork OnTopic(string topic) => new AWork().With(message => message with { Topic = topic });

    public AWork With(Func<WorkMessage, WorkMessage> change)
    {
        Message = change(Message);
        return this;
    }

    /// <summary>Gives the message a permit with changed claims.</summary>
    public AWork Permitted(Func<PermitClaims, PermitClaims> change)
    {
        _claims = change(Claims());
        return this;
    }

    private PermitClaims Claims() =>
        new()
        {
            Jti = Guid.CreateVersion7(),
            Sub = Message.JobId,
            Att = Message.Attempt,
            Aud = "test",
            Exp = Message.StartBy.ToUnixTimeSeconds() + 1,
            Bh = Convert.ToHexStringLower(SHA256.HashData(Body)),
        };

    private static string Jws(PermitClaims claims)
    {
        var header = Base64Url.EncodeToString("""{"alg":"HS256","kid":"test"}"""u8);
        var body = Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(claims, WireJson.Default.PermitClaims));
        return $"{header}.{body}.c2ln";
    }
}
