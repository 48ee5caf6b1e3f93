using Dispatcher.Policies.Evaluating;

namespace Dispatcher.Policies.Linting;

/// <summary>A single test of a rule, and whether it is inside an <c>unless</c> or <c>none</c>.</summary>
internal readonly record struct Leaf(Predicate Test, bool IsInside);

/// <summary>The single tests of a match.</summary>
internal static class Leaves
{
    public static IEnumerable<Leaf> Of(Rule rule) => Of(rule.Match, isInside: false);

    /// <summary>The attribute that a test reads. Null: it reads something else.</summary>
    public static int? Attribute(Predicate test) =>
        test switch
        {
            IsAnyOf isAnyOf => isAnyOf.Attribute,
            LabelExists exists => exists.Attribute,
            _ => null,
        };

    private static IEnumerable<Leaf> Of(Predicate test, bool isInside) =>
        test switch
        {
            AllOf all => all.Parts.SelectMany(part => Of(part, isInside)),
            Unless unless => Of(unless.Inner, isInside: true),
            _ => [new Leaf(test, isInside)],
        };
}
