using Dispatcher.Policies;

namespace Dispatcher.Judging;

/// <summary>Something the policy was asked about, with its answer. Only <see cref="PolicyGate"/> makes one, and what writes takes nothing else: no path goes around the policy.</summary>
internal sealed class Judged<T>
{
    internal Judged(T subject, Decision decision)
    {
        Subject = subject;
        Decision = decision;
    }

    public T Subject { get; }

    public Decision Decision { get; }
}
