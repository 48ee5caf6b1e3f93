using System.Buffers;

namespace Dispatcher.Base;

/// <summary>
/// A buffer of the current thread, for bytes that are written and used without an await in between. A new buffer for each hash and each
/// body was an eighth of what a job allocates.
/// </summary>
internal static class ScratchBuffer
{
    /// <summary>A larger buffer, of a large payload, is not kept.</summary>
    private const int MaxKept = 64 * 1024;

    [ThreadStatic]
    private static ArrayBufferWriter<byte>? _free;

    /// <summary>An empty buffer. The caller passes it to <see cref="Return"/> and does not use it or its bytes afterwards.</summary>
    public static ArrayBufferWriter<byte> Take()
    {
        var buffer = _free ?? new ArrayBufferWriter<byte>(1_024);
        _free = null;
        return buffer;
    }

    public static void Return(ArrayBufferWriter<byte> buffer)
    {
        buffer.ResetWrittenCount();
        _free = buffer.Capacity <= MaxKept ? buffer : null;
    }
}
