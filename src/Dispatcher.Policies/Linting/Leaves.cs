using Dispatcher.Policies.Evaluating;

namespace Dispatcher.Policies.Linting;

/// <summary>A single test of a rule, and whether an <c>unless</c> or <c>none</c> stands around it.</summary>
internal readonly record struct Leaf(Predicate Test, bool IsInside);

/// <summary>The single tests that a match is made of.</summary>
internal static class Leaves
{
    public static IEnumerable<Leaf> Of(Rule rule) => Of(rule.Match, isInside: false);

    /// <summary>The slot whose value a test looks at. Null: it looks at something else.</summary>
    public static int? Slot(Predicate test) =>
        test switch
        {
            IsAnyOf isAnyOf => isAnyOf.Slot,
            LabelExists exists => exists.Slot,
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
