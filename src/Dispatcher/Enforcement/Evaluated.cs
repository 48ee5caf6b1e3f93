using Dispatcher.Policies.Model;

namespace Dispatcher.Enforcement;

/// <summary>
/// A subject with the decision of the policy on it. Only <see cref="PolicyGate"/> creates one, and the code that accepts or dispatches jobs
/// takes no other type: no job is stored or dispatched without an evaluation.
/// </summary>
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

    /// <summary>The time for which the rules were evaluated. The time of the commit is later, and other rules may apply then.</summary>
    public DateTimeOffset At { get; }
}
