using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Dispatcher.Broker;

/// <summary>
/// Filters the AMQP frames of one connection between the socket and the client library, which reads a whole body into memory before a
/// consumer sees it. A body of more than <see cref="RawMessage.MaxBody"/> bytes is cut while it is read, so that the process never holds
/// all of it. <see cref="HeaderGuard"/> corrects headers. Never throws: malformed bytes reach the client unchanged.
/// </summary>
internal sealed class InboundFrames
{
    private const byte HeaderFrame = 2;
    private const byte BodyFrame = 3;
    private const byte EndOfFrame = 0xCE;

    /// <summary>Bytes of the start of a frame: type, channel and size.</summary>
    private const int Start = 7;

    /// <summary>Offset of the body size in a content header.</summary>
    private const int BodySize = 4;

    /// <summary>The default of the broker is 128 KiB. With a size above this limit, the bytes are not a frame.</summary>
    private const int MaxFrame = 16_777_216;

    private readonly Dictionary<ushort, Cutting> _cuts = [];

    /// <summary>The bytes are not frames, for example the answer to an unknown protocol version. The client gets them unchanged.</summary>
    private bool _isForeign;

    private byte[] _read = new byte[65_536];
    private int _readLength;
    private byte[] _ready = new byte[65_536];
    private int _readyLength;
    private int _taken;

    /// <summary>The buffer for the next bytes of the socket.</summary>
    public Memory<byte> Space => _read.AsMemory(_readLength);

    /// <summary>Processes the bytes that were read into <see cref="Space"/>.</summary>
    public void Add(int bytes)
    {
        _readLength += bytes;
        var at = 0;
        while (_readLength - at >= Start && !_isForeign)
        {
            var size = BinaryPrimitives.ReadUInt32BigEndian(_read.AsSpan(at + 3));
            var length = Start + (int)size + 1;
            _isForeign = size > MaxFrame;
            if (_isForeign || _readLength - at < length)
            {
                Array.Resize(ref _read, _isForeign ? _read.Length : Math.Max(_read.Length, length));
                break;
            }

            Pass(_read.AsSpan(at, length));
            at += length;
        }

        if (_isForeign)
        {
            Put(_read.AsSpan(at, _readLength - at));
            at = _readLength;
        }

        _read.AsSpan(at, _readLength - at).CopyTo(_read);
        _readLength -= at;
    }

    /// <summary>Copies bytes that are ready for the client. Returns their number; 0: more input is needed.</summary>
    public int Take(Span<byte> bytes)
    {
        var count = Math.Min(bytes.Length, _readyLength - _taken);
        _ready.AsSpan(_taken, count).CopyTo(bytes);
        _taken += count;
        if (_taken == _readyLength)
        {
            (_taken, _readyLength) = (0, 0);
        }

        return count;
    }

    private void Pass(Span<byte> frame)
    {
        var channel = BinaryPrimitives.ReadUInt16BigEndian(frame[1..]);
        var payload = frame[Start..^1];
        if (frame[0] == HeaderFrame && payload.Length >= BodySize + sizeof(long))
        {
            HeaderGuard.Correct(payload);
            BeginBody(channel, payload[BodySize..]);
        }

        if (frame[0] == BodyFrame && _cuts.TryGetValue(channel, out var cut))
        {
            PassCut(channel, payload, cut);
        }
        else
        {
            Put(frame);
        }
    }

    private void BeginBody(ushort channel, Span<byte> size)
    {
        // The channel may have closed before the previous body was complete.
        _cuts.Remove(channel);
        var length = BinaryPrimitives.ReadInt64BigEndian(size);
        if (length > RawMessage.MaxBody)
        {
            _cuts[channel] = new Cutting(length);
            BinaryPrimitives.WriteInt64BigEndian(size, CutBody.KeptBytes + CutBody.TrailerBytes);
        }
    }

    /// <summary>Passes the first bytes of a body, and after its end a frame with the trailer.</summary>
    private void PassCut(ushort channel, ReadOnlySpan<byte> payload, Cutting cut)
    {
        cut.Hash.AppendData(payload);
        var kept = Math.Min(payload.Length, CutBody.KeptBytes - cut.Kept);
        if (kept > 0)
        {
            PutBody(channel, payload[..kept]);
        }

        cut.Kept += kept;
        cut.Left -= payload.Length;
        if (cut.Left <= 0)
        {
            PutBody(channel, CutBody.Trailer(cut.Length, cut.Hash.GetHashAndReset()));
            cut.Hash.Dispose();
            _cuts.Remove(channel);
        }
    }

    private void PutBody(ushort channel, ReadOnlySpan<byte> payload)
    {
        Span<byte> start = stackalloc byte[Start];
        start[0] = BodyFrame;
        BinaryPrimitives.WriteUInt16BigEndian(start[1..], channel);
        BinaryPrimitives.WriteInt32BigEndian(start[3..], payload.Length);
        Put(start);
        Put(payload);
        Put([EndOfFrame]);
    }

    private void Put(ReadOnlySpan<byte> bytes)
    {
        if (_ready.Length - _readyLength < bytes.Length)
        {
            Array.Resize(ref _ready, Math.Max(2 * _ready.Length, _readyLength + bytes.Length));
        }

        bytes.CopyTo(_ready.AsSpan(_readyLength));
        _readyLength += bytes.Length;
    }

    private sealed class Cutting(long length)
    {
        public long Length { get; } = length;

        public long Left { get; set; } = length;

        public int Kept { get; set; }

        public IncrementalHash Hash { get; } = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    }
}
