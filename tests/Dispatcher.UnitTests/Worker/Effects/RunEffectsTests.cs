using System.Data.Common;
using Dispatcher.Worker.Effects;

namespace Dispatcher.UnitTests.Worker.Effects;

public sealed class RunEffectsTests
{
    [Fact]
    public async Task An_effect_does_not_run_without_a_store()
    {
        var effects = new RunEffects(null, new EffectOwner(Guid.CreateVersion7(), 1, Guid.CreateVersion7()), false, () => true);

        await Assert.ThrowsAsync<EffectsUnavailableException>(() =>
            effects.OnceAsync("charge-42", (_, _) => Task.FromResult(1), TestContext.Current.CancellationToken)
        );
    }
}

/// <summary>The connection to the effect store is lost.</summary>
internal sealed class LostException : DbException
{
    public override bool IsTransient => true;
}
