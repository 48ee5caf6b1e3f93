using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.Worker.Pools;

namespace Dispatcher.Worker.Claiming;

/// <summary>
/// Whether a permit fits the message that carries it. A worker that could verify the symmetric signature could also issue permits, so
/// the server verifies it at the claim. The server also checks the expiry, because this machine's clock may be off. The check here
/// prevents the claim of an altered or misrouted message: the signed permit holds the hash of the body.
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
