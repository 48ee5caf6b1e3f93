using Dispatcher.Worker.RabbitMq;

namespace Dispatcher.UnitTests.Worker.RabbitMq;

public sealed class SettledTagsTests
{
    [Theory]
    [InlineData(new ulong[] { }, 0)]
    [InlineData(new ulong[] { 1 }, 1)]
    [InlineData(new ulong[] { 2 }, 0)]
    [InlineData(new ulong[] { 2, 1 }, 2)]
    [InlineData(new ulong[] { 1, 3 }, 1)]
    [InlineData(new ulong[] { 4, 3, 1, 2, 6 }, 4)]
    [InlineData(new ulong[] { 3, 3, 2, 3, 1, 1 }, 3)]
    public void Prefix_ends_before_the_first_missing_tag(ulong[] tags, ulong prefix)
    {
        var settled = new SettledTags();

        Array.ForEach(tags, settled.Add);

        Assert.Equal(prefix, settled.Prefix);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Prefix_is_right_after_each_tag_in_any_order(int seed)
    {
        var random = new Random(seed);
        var tags = Enumerable.Range(1, 400).Select(tag => (ulong)tag).ToArray();
        random.Shuffle(tags);
        var (settled, added) = (new SettledTags(), new HashSet<ulong>());

        foreach (var tag in tags)
        {
            settled.Add(tag);
            added.Add(tag);
            settled.Add(tags[random.Next(added.Count)]); // Again.

            Assert.Equal(Enumerable.Range(1, 401).First(next => !added.Contains((ulong)next)), (int)settled.Prefix + 1);
        }
    }
}
