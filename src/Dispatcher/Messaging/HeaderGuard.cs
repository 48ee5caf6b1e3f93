using System.Buffers.Binary;

namespace Dispatcher.Messaging;

/// <summary>
/// Corrects message headers that RabbitMQ accepts and RabbitMQ.Client cannot parse. Such a message would close the connection, or end the
/// process, each time it is delivered. The length stays the same: a decimal whose scale .NET cannot represent gets the largest scale that
/// it can, and a table or array that is nested too deeply becomes a string of its bytes.
/// </summary>
internal static class HeaderGuard
{
    /// <summary>The client recurses for each level. No message of ours has more than the three of <c>x-death</c>.</summary>
    private const int DeepestTable = 32;

    private const byte LargestScale = 28;

    /// <summary>Where the property flags are: behind class, weight and body size.</summary>
    private const int Flags = 12;

    private const byte ContentTypeFlag = 0x80;
    private const byte ContentEncodingFlag = 0x40;
    private const byte HeadersFlag = 0x20;

    /// <summary>Takes the payload of a content header frame.</summary>
    public static void Correct(Span<byte> header)
    {
        var flags = header[Flags];
        var at = Flags + 2;
        at += (flags & ContentTypeFlag) == 0 ? 0 : 1 + header[at];
        at += (flags & ContentEncodingFlag) == 0 ? 0 : 1 + header[at];
        if ((flags & HeadersFlag) != 0)
        {
            CorrectTable(header.Slice(at + 4, Number(header[at..])));
        }
    }

    private static void CorrectTable(Span<byte> table)
    {
        var open = new Stack<(int End, bool IsTable)>([(table.Length, true)]);
        var at = 0;
        while (open.TryPeek(out var inner))
        {
            if (at >= inner.End)
            {
                open.Pop();
                continue;
            }

            // In a table, a value has a name.
            at += inner.IsTable ? 1 + table[at] : 0;
            if (table[at] is (byte)'F' or (byte)'A' && open.Count == DeepestTable)
            {
                table[at] = (byte)'S';
            }

            var type = (char)table[at++];
            if (type is 'F' or 'A')
            {
                open.Push((at + 4 + Number(table[at..]), type == 'F'));
                at += 4;
                continue;
            }

            if (type == 'D')
            {
                table[at] = Math.Min(table[at], LargestScale);
            }

            at += type is 'S' or 'x' ? 4 + Number(table[at..]) : Width(type);
        }
    }

    private static int Number(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadInt32BigEndian(bytes);

    /// <summary>Bytes of a value of fixed size. The broker accepts no other type.</summary>
    private static int Width(char type) => type switch
    {
        't' or 'b' or 'B' => 1,
        's' or 'u' => 2,
        'I' or 'i' or 'f' => 4,
        'D' => 5,
        'l' or 'd' or 'T' => 8,
        _ => 0,
    };
}
