using Dispatcher.Audit.Sealing;

namespace Dispatcher.UnitTests.Audit.Sealing;

public sealed class RetentionTests
{
    [Fact]
    public void Kept_numbers_are_read_as_they_were_written()
    {
        long[] numbers = [1, 2, 127, 128, 255, 256, 16_384, 16_511, 1_000_000_007, 9_000_000_000_000_000_000];

        Assert.Equal(numbers, KeptNumbers.Read(KeptNumbers.Write(numbers)));
        Assert.Empty(KeptNumbers.Read(KeptNumbers.Write([])));
        Assert.Equal(3, KeptNumbers.Write([1, 2, 3]).Length);
    }

    [Fact]
    public void Signature_covers_every_field()
    {
        using var key = CheckpointKey.Create();
        var signed = key.Sign(A());
        Retention[] changed =
        [
            signed with
            {
                From = "2026-10-02",
            },
            signed with
            {
                Before = "2026-11-02",
            },
            signed with
            {
                Entries = 4,
            },
            signed with
            {
                Size = 3,
            },
            signed with
            {
                Origin = "dispatcher/b",
            },
            signed with
            {
                Root = new string('1', 64),
            },
            signed with
            {
                Head = new string('1', 64),
            },
            signed with
            {
                Kept = [2],
            },
            signed with
            {
                KeptSha256 = "",
            },
            signed with
            {
                At = 8,
            },
        ];

        Assert.True(key.HasSigned(signed));
        Assert.True(key.HasSigned(Retention.Read(signed.Write())!));
        Assert.All(changed, retention => Assert.False(key.HasSigned(retention)));
    }

    /// <summary>The frontier is not signed, because the signed root covers it.</summary>
    [Fact]
    public void Statement_whose_subtrees_do_not_have_its_root_is_unreadable()
    {
        Assert.NotNull(Retention.Read(A().Write()));
        Assert.Null(Retention.Read((A() with { Frontier = new byte[32] }).Write()));
        Assert.Null(Retention.Read((A() with { Frontier = [] }).Write()));
        Assert.Null(Retention.Read((A() with { Head = "" }).Write()));
        Assert.Null(Retention.Read("{}"u8.ToArray()));
        Assert.Null(Retention.Read([0xFF]));
        Assert.Null(Retention.Read("null"u8.ToArray()));
    }

    private static Retention A()
    {
        var tree = new MerkleFrontier();
        tree.Add(new byte[32]);
        tree.Add(new byte[32]);
        return new Retention
        {
            From = "2026-10-01",
            Before = "2026-11-01",
            Entries = 1,
            Size = 2,
            Origin = "dispatcher/a",
            Root = Convert.ToHexStringLower(tree.Root()),
            Head = new string('0', 64),
            Frontier = tree.ToBytes(),
            Kept = [1],
            KeptSha256 = new string('0', 64),
            At = 7,
        };
    }
}
