using System.Text;
using System.Text.RegularExpressions;
using Dispatcher.Policies.Schemas;

namespace Dispatcher.UnitTests.Policies.Schemas;

public class CodePointsTests
{
    /// <summary>Boundaries of UTF-16: the ends of the planes, of the surrogates and of the rows of low surrogates.</summary>
    private static readonly int[] Edges =
    [
        0,
        'a',
        'b',
        0xD7FF,
        0xE000,
        0xFFFF,
        0x10000,
        0x10001,
        0x103FE,
        0x103FF,
        0x10400,
        0x10401,
        0x107FF,
        0x10800,
        0x1F432,
        0x10FBFF,
        0x10FC00,
        0x10FFFE,
        0x10FFFF,
    ];

    [Fact]
    public void Pattern_of_a_range_matches_exactly_its_characters()
    {
        foreach (var first in Edges)
        {
            foreach (var last in Edges.Where(last => last >= first))
            {
                var range = CodePoints.Empty.With(first, last);
                Assert.Equal(Edges.Where(edge => edge >= first && edge <= last), Matched(range));
                Assert.Equal(Edges.Where(edge => edge < first || edge > last), Matched(range.Others()));
            }
        }
    }

    [Fact]
    public void Overlapping_ranges_are_one_set()
    {
        var set = CodePoints.Empty.With(0x10400, 0x10FFFF).With('b', 'b').With('a', 0x10000).With(0x10000, 0x10001);

        Assert.Equal(Edges.Where(edge => edge is >= 'a' and (<= 0x10001 or >= 0x10400)), Matched(set));
        Assert.Equal(Edges.Where(edge => edge is < 'a' or (> 0x10001 and < 0x10400)), Matched(set.Others()));
    }

    [Theory]
    [InlineData("\ud83d")]
    [InlineData("\udc32")]
    public void Half_a_surrogate_pair_is_in_no_set(string half)
    {
        Assert.DoesNotMatch($"^{CodePoints.Empty.Others().ToPattern()}$", half);
        Assert.DoesNotMatch($"^{CodePoints.Empty.ToPattern()}$", half);
    }

    private static IEnumerable<int> Matched(CodePoints set)
    {
        Regex regex = new($"^{set.ToPattern()}\\z", RegexOptions.NonBacktracking);
        return Edges.Where(edge => regex.IsMatch(new Rune(edge).ToString()));
    }
}
