namespace Dispatcher.Policies.Evaluating;

/// <summary>Working memory of a decision. One per thread and reused, so that a decision allocates only its result.</summary>
internal sealed class Scratch
{
    [ThreadStatic]
    private static Scratch? _ofThread;

    private Scratch() { }

    public static Scratch OfThread => _ofThread ??= new Scratch();

    public Facts Facts { get; } = new();

    public List<Rule> Candidates { get; } = [];

    /// <summary>The numbers of the rules that matched.</summary>
    public List<int> Matched { get; } = [];
}
