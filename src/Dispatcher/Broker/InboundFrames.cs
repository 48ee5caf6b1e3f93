using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Dispatcher.Broker;

/// <summary>
/// The AMQP frames of one connection, between the socket and the client library. The client reads a whole body into memory before a
/// consumer sees it: here a body of more than <see cref="RawMessage.LargestBody"/> bytes is cut while it is read, and no part of the
/// process ever holds it. Headers pass through <see cref="HeaderGuard"/>. Never throws: what is malformed reaches the client as it is.
/// </summary>
internal sealed class InboundFrames
{
    private const byte HeaderFrame = 2;
    private const byte BodyFrame = 3;
    private const byte EndOfFrame = 0xCE;

    /// <summary>Type, channel and size of a frame.</summary>
    private const int Start = 7;

    /// <summary>Where a content header has the size of the body.</summary>
    private const int BodySize = 4;

    /// <summary>The broker agrees on 128 KiB unless it is configured otherwise. What is larger than this is no frame.</summary>
    private const int LargestFrame = 16_777_216;

    private readonly Dictionary<ushort, Cutting> _cuts = [];

    /// <summary>What comes are no frames, for example the answer to an unknown protocol version: the client gets it as it is.</summary>
    private bool _isForeign;

    private byte[] _read = new byte[65_536];
    private int _readLength;
    private byte[] _ready = new byte[65_536];
    private int _readyLength;
    private int _taken;

    /// <summary>Where the next bytes of the socket go.</summary>
    public Memory<byte> Space => _read.AsMemory(_readLength);

    /// <summary>Says how many bytes were put into <see cref="Space"/>.</summary>
    public void Add(int bytes)
    {
        _readLength += bytes;
        var at = 0;
        while (_readLength - at >= Start && !_isForeign)
        {
            var size = BinaryPrimitives.ReadUInt32BigEndian(_read.AsSpan(at + 3));
            var length = Start + (int)size + 1;
            _isForeign = size > LargestFrame;
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

    /// <summary>Hands over what is ready for the client; 0: nothing is.</summary>
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
        // A body before it on this channel may have ended early, with the channel.
        _cuts.Remove(channel);
        var length = BinaryPrimitives.ReadInt64BigEndian(size);
        if (length > RawMessage.LargestBody)
        {
            _cuts[channel] = new Cutting(length);
            BinaryPrimitives.WriteInt64BigEndian(size, CutBody.CutBytes + CutBody.TrailerBytes);
        }
    }

    /// <summary>The client gets the first bytes, and in a last frame what is known of the whole.</summary>
    private void PassCut(ushort channel, ReadOnlySpan<byte> payload, Cutting cut)
    {
        cut.Hash.AppendData(payload);
        var kept = Math.Min(payload.Length, CutBody.CutBytes - cut.Kept);
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
