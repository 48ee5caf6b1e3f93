using System.Security.Cryptography;
using Dispatcher.Broker;
using static Dispatcher.UnitTests.Broker.Frames;

namespace Dispatcher.UnitTests.Broker;

public sealed class InboundFramesTests
{
    private static readonly byte[] Large = RandomNumberGenerator.GetBytes(RawMessage.MaxBody + 1);

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(60_000)]
    public void Small_deliveries_pass_unchanged(int split)
    {
        byte[] bytes =
        [
            .. Delivery([], []),
            .. Delivery(Value("D", 'D', 3, 0, 0, 0, 1), RandomNumberGenerator.GetBytes(150_000)),
            .. Delivery([], [1], channel: 2),
        ];

        Assert.Equal(bytes, Passed(bytes, split));
    }

    [Fact]
    public void Body_at_the_limit_passes_unchanged()
    {
        var bytes = Delivery([], Large[..^1]);

        Assert.Equal(bytes, Passed(bytes));
    }

    [Fact]
    public void Headers_are_corrected() =>
        Assert.Equal(Delivery(Value("D", 'D', 28, 0, 0, 0, 1), [1]), Passed(Delivery(Value("D", 'D', 99, 0, 0, 0, 1), [1])));

    [Fact]
    public void Larger_body_is_cut_and_the_next_message_is_whole()
    {
        var next = Delivery([], [1, 2, 3]);
        byte[] cut = [.. Large[..CutBody.KeptBytes], .. CutBody.Trailer(Large.Length, SHA256.HashData(Large))];

        var passed = Passed([.. Delivery([], Large), .. next]);

        byte[] expected =
        [
            .. Method(1),
            .. Frame(8, 0, []),
            .. Frame(2, 1, Header([], cut.Length)),
            .. Frame(3, 1, cut[..CutBody.KeptBytes]),
            .. Frame(3, 1, cut[CutBody.KeptBytes..]),
            .. next,
        ];
        Assert.Equal(expected, passed);
        Assert.Equal(new CutBody(Large.Length, Convert.ToHexStringLower(SHA256.HashData(Large))), RawMessage.Of(cut).Cut);
    }

    [Fact]
    public void Frames_of_another_channel_within_a_large_body_pass_unchanged()
    {
        var body = Body(Large, 1);
        var other = Delivery([], [1, 2, 3], channel: 2);
        var half = 131_072 * 3;

        var passed = Passed([.. Method(1), .. Frame(2, 1, Header([], Large.Length)), .. body[..half], .. other, .. body[half..]]);

        Assert.True(passed.AsSpan().IndexOf(other) > 0);
        Assert.Equal(
            Method(1).Length + Frame(2, 1, Header([], 0)).Length + CutBody.KeptBytes + CutBody.TrailerBytes + 16 + other.Length,
            passed.Length
        );
    }

    [Fact]
    public void Delivery_after_a_body_interrupted_by_a_closed_channel_passes_unchanged()
    {
        byte[] begun = [.. Method(1), .. Frame(2, 1, Header([], Large.Length))];
        var next = Delivery([], [1, 2, 3]);

        Assert.True(Passed([.. begun, .. next]).AsSpan().EndsWith(next));
    }

    [Fact]
    public void Bytes_that_are_not_a_frame_pass_unchanged() =>
        Assert.Equal("AMQP\0\0\u0009\u0001"u8.ToArray(), Passed("AMQP\0\0\u0009\u0001"u8.ToArray()));

    [Theory]
    [InlineData(0)]
    [InlineData(4)]
    [InlineData(11)]
    [InlineData(12)]
    [InlineData(13)]
    public void Header_frame_that_is_too_short_passes_unchanged(int length)
    {
        byte[] bytes = [.. Frame(2, 1, new byte[length]), .. Delivery([], [1])];

        Assert.Equal(bytes, Passed(bytes));
    }

    [Fact]
    public void Random_frames_never_throw_and_keep_their_length()
    {
        var random = new Random(20_260_102);
        for (var round = 0; round < 5_000; round++)
        {
            var payload = new byte[random.Next(60)];
            random.NextBytes(payload);

            // The body size stays small: a large body is cut.
            payload.AsSpan(0, Math.Min(payload.Length, 10)).Clear();
            byte[] bytes = [.. Frame((byte)random.Next(9), 1, payload), .. Frame(2, 2, payload), .. Delivery([], [1])];

            Assert.Equal(bytes.Length, Passed(bytes).Length);
        }
    }

    private static byte[] Passed(byte[] bytes, int split = 60_000)
    {
        var frames = new InboundFrames();
        using var passed = new MemoryStream();
        var buffer = new byte[4_096];
        for (var from = 0; from < bytes.Length; )
        {
            var some = Math.Min(Math.Min(split, bytes.Length - from), frames.Space.Length);
            bytes.AsMemory(from, some).CopyTo(frames.Space);
            frames.Add(some);
            from += some;
            for (int taken; (taken = frames.Take(buffer)) > 0; )
            {
                passed.Write(buffer, 0, taken);
            }
        }

        return passed.ToArray();
    }
}
