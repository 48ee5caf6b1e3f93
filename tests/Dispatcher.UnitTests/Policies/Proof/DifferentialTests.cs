using Dispatcher.Contracts;
using Dispatcher.Policies.Model;

namespace Dispatcher.UnitTests.Policies.Proof;

/// <summary>The evaluator decides like <see cref="NaiveEvaluator"/>, on about 100,000 jobs.</summary>
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
    public void Decides_like_the_naive_evaluator_on_fixed_scenarios() => Scenario.ForAll(1000, JobsEach, DecidesAlike);

    [Fact]
    public void Decides_like_the_naive_evaluator_on_random_scenarios() => Scenario.ForAllFresh(1000, JobsEach, DecidesAlike);

    [Fact]
    public void Every_verdict_and_reason_occurs_in_one_percent_of_the_jobs()
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
