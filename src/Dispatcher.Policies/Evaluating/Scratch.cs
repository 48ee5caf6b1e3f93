namespace Dispatcher.Policies.Evaluating;

/// <summary>What a decision needs while it is made. One per thread, used again and again, because a decision must cost no memory but itself.</summary>
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
