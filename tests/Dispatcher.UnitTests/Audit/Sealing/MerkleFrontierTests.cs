using Dispatcher.Audit.Sealing;

namespace Dispatcher.UnitTests.Audit.Sealing;

/// <summary>The tree of RFC 6962, against the vectors of its reference implementation.</summary>
public sealed class MerkleFrontierTests
{
    private static readonly string[] Leaves =
    [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];

    private static readonly string[] Roots =
    [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    [Fact]
    public void Roots_equal_those_of_the_reference_implementation()
    {
        var tree = new MerkleFrontier();
        var roots = new List<string> { Convert.ToHexStringLower(tree.Root()) };
        foreach (var leaf in Leaves)
        {
            tree.Add(Convert.FromHexString(leaf));
            roots.Add(Convert.ToHexStringLower(tree.Root()));
        }

        Assert.Equal(Roots, roots);
    }

    /// <summary>For every size up to 70, a restored tree continues like the original.</summary>
    [Fact]
    public void Restored_tree_continues_like_the_original()
    {
        var whole = new MerkleFrontier();
        for (var i = 0; i < 70; i++)
        {
            var restored = MerkleFrontier.Restore(whole.Size, whole.ToBytes())!;
            whole.Add([(byte)i]);
            restored.Add([(byte)i]);
            Assert.Equal(whole.Root(), restored.Root());
        }
    }

    [Fact]
    public void Subtrees_that_do_not_match_the_size_are_refused()
    {
        Assert.Null(MerkleFrontier.Restore(3, new byte[32]));
        Assert.Null(MerkleFrontier.Restore(1, new byte[31]));
        Assert.Null(MerkleFrontier.Restore(-1, []));
    }
}
