using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.Worker.Pools;

namespace Dispatcher.Worker.Claiming;

/// <summary>
/// Whether a permit fits the message it came with. The signature is not verified here but by the server at the claim: it is made with a symmetric key, and a worker
/// that could verify it could also mint permits. Nor is its expiry: the server compares it with its own clock at the claim, and this
/// machine's clock may be off. What is checked here keeps a mixed-up or altered message from being claimed at all; the hash binds the
/// signed permit to the body.
/// </summary>
internal sealed record PermitCheck(PermitFault Fault, PermitClaims? Claims = null, WorkMessage? Message = null)
{
    public static PermitCheck Of(ReadOnlyMemory<byte> body, string? permit, string pool)
    {
        if (permit is null)
        {
            return new(PermitFault.Missing);
        }

        if (ReadClaims(permit) is not { } claims)
        {
            return new(PermitFault.Unreadable);
        }

        if (!string.Equals(claims.Bh, Convert.ToHexStringLower(SHA256.HashData(body.Span)), StringComparison.Ordinal))
        {
            return new(PermitFault.OtherBody);
        }

        if (!string.Equals(claims.Aud, pool, StringComparison.Ordinal))
        {
            return new(PermitFault.OtherPool);
        }

        return ReadMessage(body) switch
        {
            null => new(PermitFault.UnreadableBody),
            var message when message.JobId != claims.Sub || message.Attempt != claims.Att => new(PermitFault.OtherJob),
            var message => new(PermitFault.None, claims, message),
        };
    }

    private static PermitClaims? ReadClaims(string permit)
    {
        var parts = permit.Split('.');
        if (parts.Length != 3 || !Base64Url.IsValid(parts[1]))
        {
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize(Base64Url.DecodeFromChars(parts[1]), WorkerJson.Default.PermitClaims);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static WorkMessage? ReadMessage(ReadOnlyMemory<byte> body)
    {
        try
        {
            return JsonSerializer.Deserialize(body.Span, WorkerJson.Default.WorkMessage);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>Why a delivery is dropped before it is claimed.</summary>
internal enum PermitFault
{
    None,
    Missing,
    Unreadable,
    OtherBody,
    OtherPool,
    UnreadableBody,
    OtherJob,
}
