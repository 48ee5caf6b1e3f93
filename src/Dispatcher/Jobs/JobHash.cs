using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Dispatcher.Base;

namespace Dispatcher.Jobs;

/// <summary>
/// SHA-256 over the content of a job that people approve and that must not change between intake and dispatch. Each part follows its
/// length (4 bytes, big-endian; all ones for null), so that two different jobs never have the same bytes. The form is frozen: a change
/// needs a new version in the first part.
/// </summary>
/// <remarks>
/// The hash does not cover job id, reply address and trace context, which belong to the request, nor any column that a move changes.
/// </remarks>
internal static class JobHash
{
    private const int Null = -1;

    public static string Of(Job job) => Of(job, SHA256.HashData(job.Payload));

    /// <param name="job">The job; its payload is not read.</param>
    /// <param name="payloadSha256">SHA-256 of its payload.</param>
    public static string Of(Job job, ReadOnlySpan<byte> payloadSha256)
    {
        // One call of the hash: a call for each part costs more than the hash itself.
        var parts = ScratchBuffer.Take();
        parts.Write("dispatcher/job/v1\0"u8);
        Append(parts, job.Topic);
        Append(parts, job.Principal);
        AppendCount(parts, job.Labels.Count);
        foreach (var (key, value) in job.Labels.OrderBy(label => label.Key, StringComparer.Ordinal))
        {
            Append(parts, key);
            Append(parts, value);
        }

        AppendCount(parts, job.RiskTags.Count);
        foreach (var tag in job.RiskTags.Order(StringComparer.Ordinal))
        {
            Append(parts, tag);
        }

        parts.Write(payloadSha256);
        Append(parts, job.WorkflowId);
        Append(parts, job.IdempotencyKey);
        Append(parts, job.CostTokens);
        Append(parts, job.CostUsdMicros);
        Append(parts, job.NotAfter);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(parts.WrittenSpan, hash);
        ScratchBuffer.Return(parts);
        return Convert.ToHexStringLower(hash);
    }

    private static void Append(ArrayBufferWriter<byte> parts, string? text)
    {
        if (text is null)
        {
            AppendCount(parts, Null);
            return;
        }

        AppendCount(parts, Encoding.UTF8.GetByteCount(text));
        Encoding.UTF8.GetBytes(text, parts);
    }

    private static void Append(ArrayBufferWriter<byte> parts, long? number)
    {
        if (number is not { } value)
        {
            AppendCount(parts, Null);
            return;
        }

        Span<byte> bytes = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64BigEndian(bytes, value);
        AppendCount(parts, sizeof(long));
        parts.Write(bytes);
    }

    private static void AppendCount(ArrayBufferWriter<byte> parts, int count)
    {
        Span<byte> bytes = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32BigEndian(bytes, count);
        parts.Write(bytes);
    }
}
