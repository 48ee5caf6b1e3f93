using Dispatcher.Policies.Files;

namespace Dispatcher.Policies.Linting;

/// <summary>The values of <see cref="LintFinding.Code"/> in addition to <see cref="BundleErrorCodes"/>.</summary>
public static class LintCodes
{
    /// <summary>Warning: another rule covers this one, so it never changes a decision.</summary>
    public const string Shadowed = "shadowed";

    /// <summary>Warning: two rules match the same jobs with the same effect. Reported at the later one.</summary>
    public const string SameRule = "same_rule";

    /// <summary>Error: the rule matches no job.</summary>
    public const string NeverMatches = "never_matches";

    /// <summary>Warning: <c>effective.until</c> has passed.</summary>
    public const string Expired = "expired";

    /// <summary>Error (a warning in an <c>unless</c> or a case): the topic is not in the registry.</summary>
    public const string UnregisteredTopic = "unregistered_topic";

    /// <summary>Error (a warning in an <c>unless</c>): the topic pattern matches no topic of the registry.</summary>
    public const string TopicFitsNothing = "topic_fits_nothing";

    /// <summary>Warning: no topic of the rule registers the label.</summary>
    public const string UnregisteredLabel = "unregistered_label";

    /// <summary>Warning (an error if the rule matches nothing because of it): the registry does not allow the value.</summary>
    public const string UnknownValue = "unknown_value";

    /// <summary>As <see cref="UnknownValue"/>: the table of a derived label never gives the value.</summary>
    public const string ValueNeverDerived = "value_never_derived";

    /// <summary>Warning: no topic of the rule registers the risk tag.</summary>
    public const string UnregisteredTag = "unregistered_tag";

    /// <summary>Warning: on a topic of high risk, a grant rests on facts that the producer states.</summary>
    public const string ProducersWord = "producers_word";

    /// <summary>Warning: on a topic of high risk, a grant applies to every job.</summary>
    public const string UnconditionalGrant = "unconditional_grant";

    /// <summary>Warning: a job avoids the restriction by omitting a label with <c>absent: no_match</c>.</summary>
    public const string AvoidableRestriction = "avoidable_restriction";

    /// <summary>Warning: no rule matches the topic.</summary>
    public const string TopicWithoutRule = "topic_without_rule";

    /// <summary>Warning: the topic has rules, but none of them can grant.</summary>
    public const string TopicWithoutGrant = "topic_without_grant";

    /// <summary>Warning: <c>review_by</c> has passed.</summary>
    public const string ReviewOverdue = "review_overdue";

    /// <summary>Info: <c>review_by</c> is within 30 days.</summary>
    public const string ReviewSoon = "review_soon";

    /// <summary>Error: a pool does not enforce a constraint of the rule, so every job that the rule matches there is denied.</summary>
    public const string ConstraintNotEnforced = "constraint_not_enforced";

    /// <summary>Warning: two rules can match the same job, and their constraints have nothing in common.</summary>
    public const string ConflictingConstraints = "conflicting_constraints";

    /// <summary>Warning: <c>guardrail: true</c> on a rule that grants, has an <c>unless</c>, or has an end.</summary>
    public const string WeakGuardrail = "weak_guardrail";

    /// <summary>Warning: a grant for every topic, or for all topics below one first segment.</summary>
    public const string BroadGrant = "broad_grant";

    /// <summary>Info: a DENY or REQUIRE_APPROVAL without <c>reason</c>.</summary>
    public const string NoReason = "no_reason";

    /// <summary>Info: a topic leaves timeouts to the defaults.</summary>
    public const string DefaultTimeouts = "default_timeouts";

    /// <summary>A topic has no schema. A warning if its risk is high, else an info.</summary>
    public const string NoSchema = "no_schema";

    /// <summary>Info: no topic uses the pool.</summary>
    public const string UnusedPool = "unused_pool";

    /// <summary>Warning: a case expects a rule that does not exist.</summary>
    public const string UnknownRule = "unknown_rule";

    /// <summary>Warning: the bundle is too large to be searched completely; some findings may be missing.</summary>
    public const string Incomplete = "incomplete";
}
