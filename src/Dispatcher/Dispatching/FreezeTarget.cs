using Dispatcher.Policies;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Dispatching;

/// <summary>What a freeze stops.</summary>
/// <param name="Kind">One of <see cref="FreezeKinds"/>.</param>
/// <param name="Name">The topic or pool. Empty: everything.</param>
internal sealed record FreezeTarget(string Kind, string Name)
{
    /// <summary>The target in words: <c>topic job.exec.shell</c>, <c>pool shell</c>, <c>everything</c>.</summary>
    public string Words => Kind == FreezeKinds.All ? "everything" : $"{Kind} {Name}";

    /// <summary>The options of the command line that name it.</summary>
    public string Options => Kind == FreezeKinds.All ? "--all" : $"--{Kind} {Name}";

    public static FreezeTarget Of(Freeze freeze) => new(freeze.Kind, freeze.Target);

    public bool Is(Freeze freeze) => Kind == freeze.Kind && Name == freeze.Target;

    /// <summary>The names that the bundle has for this kind. For everything: the empty name.</summary>
    public IReadOnlyList<string> Known(Bundle bundle) =>
        Kind switch
        {
            FreezeKinds.Topic => [.. bundle.JobClasses.Keys],
            FreezeKinds.Pool => [.. bundle.Pools.Keys],
            _ => [""],
        };
}
