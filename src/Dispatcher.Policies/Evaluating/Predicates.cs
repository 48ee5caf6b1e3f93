namespace Dispatcher.Policies.Evaluating;

/// <summary>One condition of a match.</summary>
internal abstract class Predicate
{
    public abstract Truth Test(Facts facts);
}

/// <summary>All of the parts. None: true.</summary>
internal sealed class AllOf(IReadOnlyList<Predicate> parts) : Predicate
{
    public override Truth Test(Facts facts)
    {
        Truth all = Truth.True;
        for (int i = 0; i < parts.Count && all != Truth.False; i++)
        {
            all = Kleene.And(all, parts[i].Test(facts));
        }

        return all;
    }
}

internal sealed class Unless(Predicate inner) : Predicate
{
    public override Truth Test(Facts facts) => Kleene.Not(inner.Test(facts));
}

internal sealed class TopicFits(TopicPattern pattern) : Predicate
{
    public override Truth Test(Facts facts) => Kleene.Of(pattern.Fits(facts.Topic));
}

/// <summary>A label has one of the values, or, negated, none of them. An absent label is neither.</summary>
internal sealed class LabelIsAnyOf(string name, IReadOnlyList<string> values, bool negated) : Predicate
{
    public override Truth Test(Facts facts) => facts.Label(name) is { } value
        ? Kleene.Of(values.Contains(value, StringComparer.Ordinal) != negated)
        : facts.AbsentLabel(name);
}

/// <summary>The one test of a label that is never unknown: whoever writes it asks for absence itself.</summary>
internal sealed class LabelExists(string name, bool expected) : Predicate
{
    public override Truth Test(Facts facts) => Kleene.Of(facts.Label(name) is not null == expected);
}

internal sealed class HasAllTags(IReadOnlyList<string> tags) : Predicate
{
    public override Truth Test(Facts facts)
    {
        Truth all = Truth.True;
        foreach (string tag in tags)
        {
            all = Kleene.And(all, facts.Tag(tag));
        }

        return all;
    }
}

internal sealed class HasAnyTag(IReadOnlyList<string> tags) : Predicate
{
    public override Truth Test(Facts facts)
    {
        Truth any = Truth.False;
        foreach (string tag in tags)
        {
            any = Kleene.Or(any, facts.Tag(tag));
        }

        return any;
    }
}

internal sealed class PrincipalIsAnyOf(IReadOnlyList<string> principals) : Predicate
{
    public override Truth Test(Facts facts) => Kleene.Of(principals.Contains(facts.Principal, StringComparer.Ordinal));
}

internal sealed class WorkflowIsAnyOf(IReadOnlyList<string> workflows) : Predicate
{
    public override Truth Test(Facts facts) => facts.WorkflowId is null ? Truth.Unknown : Kleene.Of(workflows.Contains(facts.WorkflowId, StringComparer.Ordinal));
}

internal sealed class AttemptIsAtLeast(long attempt) : Predicate
{
    public override Truth Test(Facts facts) => Kleene.Of(facts.Attempt >= attempt);
}
