using Dispatcher.Broker;
using RabbitMQ.Client;
using static Dispatcher.UnitTests.Broker.Frames;

namespace Dispatcher.UnitTests.Broker;

public sealed class HeaderGuardTests
{
    private static readonly byte[] Long = [0, 0, 0, 0, 0, 0, 0, 7];

    [Fact]
    public void Decimal_gets_a_scale_that_dotnet_can_represent() =>
        Assert.Equal(Decimals(28, 28, 28, 3), Corrected(Decimals(255, 28, 29, 3)));

    [Theory]
    [InlineData('A', 5)]
    [InlineData('F', 6)]
    public void Value_that_is_nested_too_deeply_becomes_text(char type, int bytesPerLevel)
    {
        byte[] nested = [];
        for (var level = 0; level < 3_000; level++)
        {
            nested = type == 'F' ? Value("", 'F', [.. Number(nested.Length), .. nested]) : [(byte)'A', .. Number(nested.Length), .. nested];
        }

        var table = type == 'F' ? nested : [0, .. nested];
        var corrected = Corrected(table);

        var changed = Assert.Single(Enumerable.Range(0, table.Length), at => table[at] != corrected[at]);
        Assert.Equal((byte)'S', corrected[changed]);
        Assert.Equal(1 + (31 * bytesPerLevel), changed);
    }

    [Fact]
    public void Valid_headers_do_not_change()
    {
        byte[] table =
        [
            .. Value("S", 'S', [.. Number(5), .. "D\u001dxyz"u8]),
            .. Value("x", 'x', [.. Number(2), 68, 99]),
            .. Value("t", 't', 1),
            .. Value("b", 'b', 1),
            .. Value("B", 'B', 1),
            .. Value("s", 's', 1, 2),
            .. Value("u", 'u', 1, 2),
            .. Value("I", 'I', 1, 2, 3, 4),
            .. Value("i", 'i', 1, 2, 3, 4),
            .. Value("f", 'f', 1, 2, 3, 4),
            .. Value("l", 'l', new byte[8]),
            .. Value("d", 'd', new byte[8]),
            .. Value("T", 'T', new byte[8]),
            .. Value("V", 'V'),
            .. Value("D", 'D', 28, 0, 0, 0, 1),
            .. Value("empty", 'A', Number(0)),
            .. Value("none", 'F', Number(0)),
            .. Value("x-death", 'A', [.. Number(16), (byte)'F', .. Number(11), .. Value("q", 'S', [.. Number(4), .. "name"u8])]),
        ];

        Assert.Equal(table, Corrected(table));
    }

    [Fact]
    public void Header_of_type_L_is_converted_to_type_l()
    {
        byte[] values = [(byte)'L', .. Long, (byte)'L', .. Long];
        byte[] table =
        [
            .. Value("t", 'L', Long),
            .. Value("a", 'A', [.. Number(values.Length), .. values]),
            .. Value("D", 'D', 99, 0, 0, 0, 1),
        ];

        var headers = Parsed(Corrected(table));

        Assert.Equal(7L, headers["t"]);
        Assert.Equal([7L, 7L], Assert.IsType<List<object?>>(headers["a"]));
        Assert.Equal(28, Assert.IsType<decimal>(headers["D"]).Scale);
    }

    [Fact]
    public void Value_of_any_type_is_parsed_by_the_client()
    {
        for (var type = 0; type < 256; type++)
        {
            foreach (var length in (int[])[0, 1, 2, 4, 5, 8, 12])
            {
                Parse(Value("t", (char)type, new byte[length]));
                Parse(Value("t", 'A', [.. Number(1 + length), (byte)type, .. new byte[length]]));
            }
        }
    }

    [Fact]
    public void Table_that_cannot_be_parsed_becomes_one_value_and_the_other_properties_stay()
    {
        var properties = Properties(Corrected(Value("t", 'L', [1, 2, 3])));

        Assert.Equal(
            ("application/json", "gzip", (byte)2),
            (properties.ContentType, properties.ContentEncoding, (byte)properties.DeliveryMode)
        );
        Assert.Equal("", Assert.Single(properties.Headers!).Key);
    }

    [Theory]
    [InlineData(0x7FFFFFFF)]
    [InlineData(-1)]
    [InlineData(100)]
    public void Properties_that_do_not_fit_into_the_frame_are_removed(int length)
    {
        var header = Header(Value("t", 't', 1), bodySize: 1);
        Number(length).CopyTo(header, header.Length - 9);

        HeaderGuard.Correct(header);

        var properties = new ReadOnlyBasicProperties(header.AsSpan(12));
        Assert.Null(properties.Headers);
        Assert.Null(properties.ContentType);
    }

    [Fact]
    public void Random_headers_are_parsed_by_the_client()
    {
        var random = new Random(20_260_101);
        for (var round = 0; round < 50_000; round++)
        {
            var header = Header(
                [.. Enumerable.Range(0, random.Next(5)).SelectMany(_ => RandomValue(random, isNamed: true, depth: 0))],
                bodySize: 1
            );
            Spoil(header, random);
            var length = random.Next(3) == 0 ? random.Next(header.Length + 1) : header.Length;
            var cut = header.AsSpan(0, length);

            HeaderGuard.Correct(cut);

            if (length >= 14)
            {
                _ = new ReadOnlyBasicProperties(cut[12..]);
            }
        }
    }

    private static void Parse(byte[] table)
    {
        var header = Header(table, bodySize: 1);
        HeaderGuard.Correct(header);
        _ = new ReadOnlyBasicProperties(header.AsSpan(12));
    }

    private static byte[] RandomValue(Random random, bool isNamed, int depth)
    {
        var type = "tbBsuIilLfdDSATFVx?"[random.Next(19)];
        byte[] Bytes(int length)
        {
            var bytes = new byte[length];
            random.NextBytes(bytes);
            return bytes;
        }

        byte[] Inner() =>
            depth > 3 ? [] : [.. Enumerable.Range(0, random.Next(4)).SelectMany(_ => RandomValue(random, type == 'F', depth + 1))];
        byte[] Sized(byte[] bytes) => [.. Number(bytes.Length), .. bytes];
        var value = type switch
        {
            't' or 'b' or 'B' => Bytes(1),
            's' or 'u' => Bytes(2),
            'I' or 'i' or 'f' => Bytes(4),
            'D' => Bytes(5),
            'l' or 'L' or 'd' or 'T' => Bytes(8),
            'S' or 'x' => Sized(Bytes(random.Next(20))),
            'F' or 'A' => Sized(Inner()),
            _ => [],
        };
        return isNamed ? Value("n", type, value) : [(byte)type, .. value];
    }

    /// <summary>Changes up to three bytes of two headers in three.</summary>
    private static void Spoil(byte[] header, Random random)
    {
        for (var changes = random.Next(3) == 0 ? 0 : random.Next(4); changes > 0; changes--)
        {
            header[random.Next(12, header.Length)] = (byte)random.Next(256);
        }
    }

    private static byte[] Decimals(byte first, byte second, byte third, byte fourth) =>
        [
            .. Value("a", 'D', first, 0, 0, 0, 1),
            .. Value("b", 'D', second, 0, 0, 0, 2),
            .. Value("c", 'A', [.. Number(12), (byte)'D', third, 0, 0, 0, 3, (byte)'D', fourth, 0, 0, 0, 4]),
        ];

    private static IDictionary<string, object?> Parsed(byte[] table) => Properties(table).Headers ?? new Dictionary<string, object?>();

    /// <summary>The headers as the parser of the client reads them.</summary>
    private static ReadOnlyBasicProperties Properties(byte[] table) => new(Header(table, bodySize: 1).AsSpan(12));

    private static byte[] Corrected(byte[] table)
    {
        var header = Header(table, bodySize: 1);
        HeaderGuard.Correct(header);
        return header[^(table.Length + 1)..^1];
    }
}
