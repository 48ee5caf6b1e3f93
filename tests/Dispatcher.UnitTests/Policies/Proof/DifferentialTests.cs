using Dispatcher.Contracts;
using Dispatcher.Policies.Model;

namespace Dispatcher.UnitTests.Policies.Proof;

/// <summary>The evaluator says what <see cref="NaiveEvaluator"/> says: about 100,000 jobs in all.</summary>
public class DifferentialTests
{
    private const int JobsEach = 50;

    private static readonly string[] Reasons =
    [
        ReasonCodes.UnknownTopic,
        ReasonCodes.NoMatch,
        ReasonCodes.LabelMissing,
        ReasonCodes.LabelInvalid,
        ReasonCodes.LabelConflict,
        ReasonCodes.ConstraintUnsatisfiable,
        ReasonCodes.NotEnforceable,
    ];

    [Fact]
    public void Decides_as_the_naive_evaluator_does_on_the_same_scenarios_every_time() => Scenario.ForAll(1000, JobsEach, DecidesAlike);

    [Fact]
    public void Decides_as_the_naive_evaluator_does_on_new_scenarios_every_time() => Scenario.ForAllFresh(1000, JobsEach, DecidesAlike);

    [Fact]
    public void Every_verdict_and_every_reason_occurs_in_at_least_one_job_of_a_hundred()
    {
        List<Answer> answers =
        [
            .. Scenario
                .Sample(400, JobsEach)
                .SelectMany(scenario => scenario.Jobs.Select(job => NaiveEvaluator.Decide(scenario.Bundle, job))),
        ];
        var seen = answers
            .CountBy(answer =>
                answer.Verdict != Verdict.Deny ? answer.Verdict.ToString()
                : Reasons.Contains(answer.Reason) ? answer.Reason
                : "denied by a rule"
            )
            .ToDictionary(StringComparer.Ordinal);

        string[] expected =
        [
            .. Reasons,
            "denied by a rule",
            nameof(Verdict.Allow),
            nameof(Verdict.AllowWithConstraints),
            nameof(Verdict.RequireApproval),
        ];
        var shares = string.Join(
            ", ",
            seen.OrderByDescending(pair => pair.Value).Select(pair => $"{pair.Key} {100.0 * pair.Value / answers.Count:0.0} %")
        );
        TestContext.Current.TestOutputHelper?.WriteLine(shares);
        Assert.All(expected, name => Assert.True(seen.GetValueOrDefault(name) >= answers.Count / 100, $"{name} is too rare: {shares}"));
    }

    private static void DecidesAlike(Scenario scenario)
    {
        var bundle = Scenario.Load(scenario.Bundle);
        Assert.All(
            scenario.Jobs,
            job =>
                Assert.Equal(NaiveEvaluator.Decide(scenario.Bundle, job).ToString(), Answer.Of(bundle.Decide(job.Facts, job.At)).ToString())
        );
    }
}
