using Dispatcher.Policies.Files;

namespace Dispatcher.Policies.Linting;

/// <summary>The values of <see cref="LintFinding.Code"/> that go beyond <see cref="BundleErrorCodes"/>.</summary>
public static class LintCodes
{
    /// <summary>Warning: another rule covers this one, so that it never changes a decision.</summary>
    public const string Shadowed = "shadowed";

    /// <summary>Warning: two rules match the same jobs with the same effect; at the later one.</summary>
    public const string SameRule = "same_rule";

    /// <summary>Error: no job can match.</summary>
    public const string NeverMatches = "never_matches";

    /// <summary>Warning: <c>effective.until</c> has passed.</summary>
    public const string Expired = "expired";

    /// <summary>Error, in an <c>unless</c> or a case a warning: a topic that is not in the registry.</summary>
    public const string UnregisteredTopic = "unregistered_topic";

    /// <summary>Error, in an <c>unless</c> a warning: a topic pattern that fits no topic of the registry.</summary>
    public const string TopicFitsNothing = "topic_fits_nothing";

    /// <summary>Warning: a label that no topic of the rule registers.</summary>
    public const string UnregisteredLabel = "unregistered_label";

    /// <summary>Warning, an error if the rule matches nothing because of it: a value that the registry does not allow.</summary>
    public const string UnknownValue = "unknown_value";

    /// <summary>As <see cref="UnknownValue"/>: a value that the table of a derived label never gives.</summary>
    public const string ValueNeverDerived = "value_never_derived";

    /// <summary>Warning: a risk tag that no topic of the rule names.</summary>
    public const string UnregisteredTag = "unregistered_tag";

    /// <summary>Warning: on a topic of high risk, a grant that its producer can get by saying so.</summary>
    public const string ProducersWord = "producers_word";

    /// <summary>Warning: on a topic of high risk, a grant for every job.</summary>
    public const string UnconditionalGrant = "unconditional_grant";

    /// <summary>Warning: a restriction that is avoided by leaving out a label with <c>absent: no_match</c>.</summary>
    public const string AvoidableRestriction = "avoidable_restriction";

    /// <summary>Warning: a topic that no rule matches.</summary>
    public const string TopicWithoutRule = "topic_without_rule";

    /// <summary>Warning: a topic with rules of which none may grant.</summary>
    public const string TopicWithoutGrant = "topic_without_grant";

    /// <summary>Warning: <c>review_by</c> has passed.</summary>
    public const string ReviewOverdue = "review_overdue";

    /// <summary>Info: <c>review_by</c> is within 30 days.</summary>
    public const string ReviewSoon = "review_soon";

    /// <summary>Error: a pool does not enforce a rule's constraint, so that every job it matches there is denied.</summary>
    public const string ConstraintNotEnforced = "constraint_not_enforced";

    /// <summary>Warning: two rules can match one job, and their constraints have nothing in common.</summary>
    public const string ConflictingConstraints = "conflicting_constraints";

    /// <summary>Warning: <c>guardrail: true</c> on a rule that grants, has an <c>unless</c>, or ends.</summary>
    public const string WeakGuardrail = "weak_guardrail";

    /// <summary>Warning: a grant for every topic, or for all below one first segment.</summary>
    public const string BroadGrant = "broad_grant";

    /// <summary>Info: a DENY or REQUIRE_APPROVAL without <c>reason</c>.</summary>
    public const string NoReason = "no_reason";

    /// <summary>Info: a topic leaves timeouts to the defaults.</summary>
    public const string DefaultTimeouts = "default_timeouts";

    /// <summary>Payloads of a topic are not checked against a schema. A warning where its risk is high, else an info.</summary>
    public const string NoSchema = "no_schema";

    /// <summary>Info: no topic uses the pool.</summary>
    public const string UnusedPool = "unused_pool";

    /// <summary>Warning: a case expects a rule that is not there.</summary>
    public const string UnknownRule = "unknown_rule";

    /// <summary>Warning: the bundle is so large that not all was searched; some findings may be missing.</summary>
    public const string Incomplete = "incomplete";
}
