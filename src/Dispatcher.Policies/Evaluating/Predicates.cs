namespace Dispatcher.Policies.Evaluating;

/// <summary>One condition of a match.</summary>
internal abstract class Predicate
{
    /// <summary>File and line, for example <c>rules/prod.yaml:14</c>.</summary>
    public required string Where { get; init; }

    public abstract Truth Test(Facts facts);

    /// <summary>The condition in words: <c>label env is dev or staging</c>.</summary>
    public abstract string Wanted { get; }

    /// <summary>The job's value in words: <c>label env is prod</c>.</summary>
    public abstract string Seen(Facts facts);
}

/// <summary>All of the parts must hold. Without parts it is true.</summary>
internal sealed class AllOf(IReadOnlyList<Predicate> parts) : Predicate
{
    private readonly Predicate[] _parts = [.. parts];

    public IReadOnlyList<Predicate> Parts => _parts;

    public override string Wanted => _parts.Length == 0 ? "anything" : string.Join(" and ", _parts.Select(part => part.Wanted));

    public override Truth Test(Facts facts)
    {
        var all = Truth.True;
        foreach (var part in _parts)
        {
            all = Kleene.And(all, part.Test(facts));
            if (all == Truth.False)
            {
                break;
            }
        }

        return all;
    }

    public override string Seen(Facts facts) => string.Join(", ", _parts.Select(part => part.Seen(facts)));

    /// <summary>The first part that makes the whole not true: a false part, else an unknown one. Null: the whole is true.</summary>
    public Predicate? Obstacle(Facts facts) =>
        Array.Find(_parts, part => part.Test(facts) == Test(facts) && part.Test(facts) != Truth.True);
}

internal sealed class Unless(Predicate inner) : Predicate
{
    public Predicate Inner { get; } = inner;

    public override string Wanted => $"not ({Inner.Wanted})";

    public override Truth Test(Facts facts) => Kleene.Not(Inner.Test(facts));

    public override string Seen(Facts facts) => Inner.Seen(facts);
}

internal sealed class TopicFits(TopicPattern pattern) : Predicate
{
    public TopicPattern Pattern { get; } = pattern;

    public override string Wanted => $"topic fits {Pattern.Text}";

    public override Truth Test(Facts facts) => Kleene.Of(Pattern.Fits(facts.Topic));

    public override string Seen(Facts facts) => $"topic is {facts.Topic}";
}

/// <summary>
/// A label, the principal or the workflow is one of the values, or, if negated, none of them. For an absent value the result is false or
/// unknown.
/// </summary>
internal sealed class IsAnyOf(int attribute, string name, IReadOnlyList<string> values, bool negated) : Predicate
{
    private readonly string[] _values = [.. values];

    public int Attribute { get; } = attribute;

    /// <summary>The name of the compared value: <c>label env</c>, <c>principal</c>.</summary>
    public string Name { get; } = name;

    public IReadOnlyList<string> Values => _values;

    public bool Negated { get; } = negated;

    public override string Wanted => $"{Name} is {(Negated ? "not " : "")}{string.Join(" or ", _values)}";

    public override Truth Test(Facts facts)
    {
        if (facts.Value(Attribute) is not { } value)
        {
            return facts.Absent(Attribute);
        }

        foreach (var allowed in _values)
        {
            if (allowed == value)
            {
                return Negated ? Truth.False : Truth.True;
            }
        }

        return Negated ? Truth.True : Truth.False;
    }

    public override string Seen(Facts facts) => $"{Name} is {facts.Value(Attribute) ?? "absent"}";
}

/// <summary>Tests whether a label exists. The result is never unknown, because the rule tests absence itself.</summary>
internal sealed class LabelExists(int attribute, string label, bool expected) : Predicate
{
    public int Attribute { get; } = attribute;

    public string Label { get; } = label;

    public bool Expected { get; } = expected;

    public override string Wanted => $"label {Label} is {(Expected ? "there" : "absent")}";

    public override Truth Test(Facts facts) => Kleene.Of(facts.Value(Attribute) is not null == Expected);

    public override string Seen(Facts facts) => $"label {Label} is {facts.Value(Attribute) ?? "absent"}";
}

/// <summary>The job has all of the tags, or any of them.</summary>
internal sealed class HasTags(IReadOnlyList<string> tags, bool all) : Predicate
{
    private readonly string[] _tags = [.. tags];

    public IReadOnlyList<string> Tags => _tags;

    public bool All { get; } = all;

    public override string Wanted =>
        (
            _tags.Length == 1 ? "risk tag "
            : All ? "risk tags "
            : "any of risk tags "
        ) + string.Join(All ? " and " : ", ", _tags);

    public override Truth Test(Facts facts)
    {
        var truth = All ? Truth.True : Truth.False;
        foreach (var tag in _tags)
        {
            truth = All ? Kleene.And(truth, facts.Tag(tag)) : Kleene.Or(truth, facts.Tag(tag));
        }

        return truth;
    }

    public override string Seen(Facts facts) => string.Join(", ", _tags.Select(tag => $"risk tag {tag} is {Word(facts.Tag(tag))}"));

    private static string Word(Truth truth) =>
        truth switch
        {
            Truth.True => "there",
            Truth.False => "absent",
            Truth.Unknown => "not named and not optional",
        };
}

internal sealed class AttemptIsAtLeast(long least) : Predicate
{
    public long Least { get; } = least;

    public override string Wanted => $"attempt is at least {Least}";

    public override Truth Test(Facts facts) => Kleene.Of(facts.Attempt >= Least);

    public override string Seen(Facts facts) => $"attempt is {facts.Attempt}";
}
