using Dispatcher.Base;

namespace Dispatcher.UnitTests.Base;

public sealed class UuidV5Tests
{
    /// <summary>Computed with Python's uuid.uuid5 under the same namespace.</summary>
    [Theory]
    [InlineData("key", "invoice-17", "1bf43004-4781-5819-ae39-5888c65ed47b")]
    [InlineData("message", "m-1", "196df53e-9cdb-59c8-84ef-3237afa1550b")]
    [InlineData("key", "", "8e25ef02-ba17-569d-8fe8-fbdd0d7b9e91")]
    public void Same_parts_give_the_same_id(string kind, string name, string id) =>
        Assert.Equal(Guid.Parse(id), UuidV5.Of(kind, "billing", name));

    [Fact]
    public void Id_has_version_5_and_the_RFC_variant() =>
        Assert.All(
            Enumerable.Range(0, 200),
            i =>
            {
                var id = UuidV5.Of("any", $"{i}");
                Assert.Equal((5, 0b10), (id.Version, id.Variant >> 2));
            }
        );

    [Fact]
    public void Text_that_moves_from_one_part_to_the_next_gives_another_id() => Assert.NotEqual(UuidV5.Of("a", "bc"), UuidV5.Of("ab", "c"));
}
