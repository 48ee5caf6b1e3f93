using Dispatcher.Messaging;
using static Dispatcher.UnitTests.Messaging.Frames;

namespace Dispatcher.UnitTests.Messaging;

public sealed class HeaderGuardTests
{
    [Fact]
    public void Decimal_gets_a_scale_that_dotnet_can_represent() => Assert.Equal(Decimals(28, 28, 28, 3), Corrected(Decimals(255, 28, 29, 3)));

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

        byte[] table = type == 'F' ? nested : [0, .. nested];
        var corrected = Corrected(table);

        var changed = Assert.Single(Enumerable.Range(0, table.Length), at => table[at] != corrected[at]);
        Assert.Equal((byte)'S', corrected[changed]);
        Assert.Equal(1 + (31 * bytesPerLevel), changed);
    }

    [Fact]
    public void Usual_headers_stay_as_they_are()
    {
        byte[] table =
        [
            .. Value("S", 'S', [.. Number(5), .. "D\u001dxyz"u8]), .. Value("x", 'x', [.. Number(2), 68, 99]),
            .. Value("t", 't', 1), .. Value("b", 'b', 1), .. Value("B", 'B', 1), .. Value("s", 's', 1, 2), .. Value("u", 'u', 1, 2),
            .. Value("I", 'I', 1, 2, 3, 4), .. Value("i", 'i', 1, 2, 3, 4), .. Value("f", 'f', 1, 2, 3, 4),
            .. Value("l", 'l', new byte[8]), .. Value("d", 'd', new byte[8]), .. Value("T", 'T', new byte[8]), .. Value("V", 'V'),
            .. Value("D", 'D', 28, 0, 0, 0, 1), .. Value("empty", 'A', Number(0)), .. Value("none", 'F', Number(0)),
            .. Value("x-death", 'A', [.. Number(16), (byte)'F', .. Number(11), .. Value("q", 'S', [.. Number(4), .. "name"u8])]),
        ];

        Assert.Equal(table, Corrected(table));
    }

    private static byte[] Decimals(byte first, byte second, byte third, byte fourth) =>
    [
        .. Value("a", 'D', first, 0, 0, 0, 1), .. Value("b", 'D', second, 0, 0, 0, 2),
        .. Value("c", 'A', [.. Number(12), (byte)'D', third, 0, 0, 0, 3, (byte)'D', fourth, 0, 0, 0, 4]),
    ];

    private static byte[] Corrected(byte[] table)
    {
        var header = Header(table, bodySize: 1);
        HeaderGuard.Correct(header);
        return header[^(table.Length + 1)..^1];
    }
}
