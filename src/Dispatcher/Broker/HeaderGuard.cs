using System.Buffers.Binary;

namespace Dispatcher.Broker;

/// <summary>
/// Corrects message headers that RabbitMQ accepts and RabbitMQ.Client cannot parse. Without it, such a message closes the connection, or
/// ends the process, at each delivery. The length stays the same. A decimal gets at most the largest scale of .NET, a number of type
/// <c>L</c> gets type <c>l</c>, and a table or array that is nested too deeply becomes a string of its bytes.
/// </summary>
/// <remarks>
/// Never throws. A header table that cannot be parsed becomes one binary value without a name. Properties that cannot be parsed at all are
/// removed: the message then has no user, and no consumer accepts it.
/// </remarks>
internal static class HeaderGuard
{
    /// <summary>The client recurses for each level. Legitimate messages have at most the three levels of <c>x-death</c>.</summary>
    private const int MaxDepth = 32;

    private const byte MaxScale = 28;

    /// <summary>Offset of the property flags, after class, weight and body size.</summary>
    private const int Flags = 12;

    /// <summary>The highest bit is the first property; the lowest two bits are not properties.</summary>
    private const int FirstProperty = 15;
    private const int LastProperty = 2;
    private const int Headers = 13;
    private const int DeliveryMode = 12;
    private const int Priority = 11;
    private const int Timestamp = 6;

    /// <summary>Bytes of an empty value without a name, of type <c>x</c>: length of the name, type, length of the value.</summary>
    private const int MinBinary = 6;

    /// <summary>Corrects the payload of a content header frame in place.</summary>
    public static void Correct(Span<byte> header)
    {
        if (header.Length < Flags + 2)
        {
            return;
        }

        if (!TryFindTable(header, out var table) || !(TryCorrect(table) || TryReplace(table)))
        {
            header.Slice(Flags, 2).Clear();
        }
    }

    /// <summary>Finds the header table. False: the properties do not fit into the frame.</summary>
    private static bool TryFindTable(Span<byte> header, out Span<byte> table)
    {
        table = [];
        var flags = BinaryPrimitives.ReadUInt16BigEndian(header[Flags..]);
        var rest = header[(Flags + 2)..];
        for (var property = FirstProperty; property >= LastProperty; property--)
        {
            if ((flags & (1 << property)) == 0)
            {
                continue;
            }

            var size = property switch
            {
                Headers => LongSize(rest),
                DeliveryMode or Priority => 1,
                Timestamp => 8,
                _ => ShortSize(rest),
            };
            if (size > rest.Length)
            {
                return false;
            }

            table = property == Headers ? rest[4..(int)size] : table;
            rest = rest[(int)size..];
        }

        return true;
    }

    /// <summary>Corrects the values. False: the table cannot be parsed; some of its values may be corrected already.</summary>
    private static bool TryCorrect(Span<byte> table)
    {
        var open = new Stack<(int End, bool IsTable)>([(table.Length, true)]);
        var at = 0;
        while (open.TryPeek(out var inner))
        {
            if (at == inner.End)
            {
                open.Pop();
                continue;
            }

            // In a table, a value has a name.
            var rest = table[at..inner.End];
            var name = inner.IsTable ? ShortSize(rest) : 0;
            if (name >= rest.Length)
            {
                return false;
            }

            var value = rest[(int)name..];
            CorrectType(value, open.Count);
            var size = 1 + Size(value);
            if (size > value.Length)
            {
                return false;
            }

            at += (int)name;
            var isOpened = value[0] is (byte)'F' or (byte)'A';
            if (isOpened)
            {
                open.Push((at + (int)size, value[0] == 'F'));
            }

            at += isOpened ? 5 : (int)size;
        }

        return true;
    }

    private static void CorrectType(Span<byte> value, int depth)
    {
        value[0] = value[0] switch
        {
            (byte)'F' or (byte)'A' when depth == MaxDepth => (byte)'S',

            // The broker parses both types as a signed number of 64 bits; the client knows only l.
            (byte)'L' => (byte)'l',
            var type => type,
        };
        if (value[0] == 'D' && value.Length > 1)
        {
            value[1] = Math.Min(value[1], MaxScale);
        }
    }

    /// <summary>Makes the whole table one value that no consumer reads. False: the table is too short for a value.</summary>
    private static bool TryReplace(Span<byte> table)
    {
        if (table.Length < MinBinary)
        {
            return false;
        }

        table[0] = 0;
        table[1] = (byte)'x';
        BinaryPrimitives.WriteInt32BigEndian(table[2..], table.Length - MinBinary);
        return true;
    }

    /// <summary>Bytes of a value after its type. A type that the client does not know has a size that never fits.</summary>
    private static long Size(ReadOnlySpan<byte> value) =>
        (char)value[0] switch
        {
            'V' => 0,
            't' or 'b' or 'B' => 1,
            's' or 'u' => 2,
            'I' or 'i' or 'f' => 4,
            'D' => 5,
            'l' or 'd' or 'T' => 8,
            'S' or 'x' or 'F' or 'A' => LongSize(value[1..]),
            _ => long.MaxValue - 1,
        };

    /// <summary>Bytes of a short string, including its length byte.</summary>
    private static long ShortSize(ReadOnlySpan<byte> bytes) => bytes.IsEmpty ? 1 : 1 + bytes[0];

    /// <summary>Bytes of a long string, table or array, including its four length bytes.</summary>
    private static long LongSize(ReadOnlySpan<byte> bytes) => bytes.Length < 4 ? 4 : 4L + BinaryPrimitives.ReadUInt32BigEndian(bytes);
}
