using Dispatcher.Audit.Sealing;

namespace Dispatcher.UnitTests.Audit.Sealing;

public sealed class LastSealsTests
{
    /// <summary>A batch looks up the seals of its jobs, and then adds some hundred seals before it uses them.</summary>
    [Fact]
    public void Seal_that_was_looked_up_stays_known_while_a_generation_is_dropped()
    {
        var seals = new LastSeals();
        var job = Guid.NewGuid();
        seals.Add(job, new LinkedSeal(7, []));
        AddOthers(seals, 19_999);
        Assert.Equal(7, seals.Of(job)?.Seq);

        AddOthers(seals, 250);

        Assert.Equal(7, seals.Of(job)?.Seq);
    }

    private static void AddOthers(LastSeals seals, int count)
    {
        for (var i = 0; i < count; i++)
        {
            seals.Add(Guid.CreateVersion7(), LinkedSeal.None);
        }
    }
}
