using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

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
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData("dispatcher/job/v1\0"u8);
        Append(hash, job.Topic);
        Append(hash, job.Principal);
        AppendCount(hash, job.Labels.Count);
        foreach (var (key, value) in job.Labels.OrderBy(label => label.Key, StringComparer.Ordinal))
        {
            Append(hash, key);
            Append(hash, value);
        }

        AppendCount(hash, job.RiskTags.Count);
        foreach (var tag in job.RiskTags.Order(StringComparer.Ordinal))
        {
            Append(hash, tag);
        }

        hash.AppendData(payloadSha256);
        Append(hash, job.WorkflowId);
        Append(hash, job.IdempotencyKey);
        Append(hash, job.CostTokens);
        Append(hash, job.CostUsdMicros);
        Append(hash, job.NotAfter);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static void Append(IncrementalHash hash, string? text)
    {
        if (text is null)
        {
            AppendCount(hash, Null);
            return;
        }

        var bytes = Encoding.UTF8.GetBytes(text);
        AppendCount(hash, bytes.Length);
        hash.AppendData(bytes);
    }

    private static void Append(IncrementalHash hash, long? number)
    {
        if (number is not { } value)
        {
            AppendCount(hash, Null);
            return;
        }

        Span<byte> bytes = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64BigEndian(bytes, value);
        AppendCount(hash, sizeof(long));
        hash.AppendData(bytes);
    }

    private static void AppendCount(IncrementalHash hash, int count)
    {
        Span<byte> bytes = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32BigEndian(bytes, count);
        hash.AppendData(bytes);
    }
}
