using Dispatcher.Policies.Model;

namespace Dispatcher.Enforcement;

/// <summary>Something the policy was asked about, with its answer. Only <see cref="PolicyGate"/> makes one, and what writes takes nothing else: no path goes around the policy.</summary>
internal abstract class Evaluated<T>
{
    protected Evaluated(T subject, Decision decision, DateTimeOffset at)
    {
        Subject = subject;
        Decision = decision;
        At = at;
    }

    public T Subject { get; }

    public Decision Decision { get; }

    /// <summary>The time that was decided by: what is stored later would not tell which rules were in effect.</summary>
    public DateTimeOffset At { get; }
}
