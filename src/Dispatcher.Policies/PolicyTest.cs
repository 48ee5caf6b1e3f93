using Dispatcher.Policies.Evaluating;
using Dispatcher.Policies.Files;
using Dispatcher.Policies.Loading;
using Dispatcher.Policies.Model;
using Dispatcher.Policies.Testing;

namespace Dispatcher.Policies;

/// <summary>Runs a bundle's <c>cases/*.yaml</c>, and finds the rules that can be removed without failing a case.</summary>
public static class PolicyTest
{
    /// <summary>
    /// Decides every case with the bundle of the same files. Bad content does not throw: the report then lists every error, and no case
    /// runs.
    /// </summary>
    /// <param name="files">All files of the folder.</param>
    /// <param name="now">The time for cases that have none.</param>
    public static PolicyTestReport Run(IReadOnlyList<BundleFile> files, DateTimeOffset now)
    {
        ErrorList errors = new();
        var content = BundleReader.Read(files, errors);
        var cases = CasesReader.ReadAll(files, errors);
        if (errors.Count > 0)
        {
            return new PolicyTestReport
            {
                Errors = errors.Errors,
                Cases = [],
                Rules = [],
            };
        }

        Evaluator evaluator = new(content, BundleArchive.Hash(files));
        CaseRun[] runs = [.. cases.Select(test => CaseRun.Of(test, evaluator, now))];
        return new PolicyTestReport
        {
            Errors = [],
            Cases =
            [
                .. runs.Select(run => new CaseResult
                {
                    Name = run.Case.Name,
                    Where = run.Case.Where,
                    Differences = run.Differences,
                }),
            ],
            Rules =
            [
                .. content
                    .Rules.OrderBy(rule => rule.Id, StringComparer.Ordinal)
                    .Select(rule => new RuleCoverage
                    {
                        Id = rule.Id,
                        Where = rule.Where,
                        Cases = runs.Count(run => run.Decision.MatchedRules.Contains(rule.Id, StringComparer.Ordinal)),
                        IsMissed = runs.Any(run => run.MissedRules.Contains(rule.Id)),
                    }),
            ],
        };
    }

    /// <summary>A case with its decision, and with its decisions without each of the rules that matched.</summary>
    private sealed record CaseRun(PolicyCase Case, Decision Decision, IReadOnlyList<string> Differences, IReadOnlySet<string> MissedRules)
    {
        public static CaseRun Of(PolicyCase test, Evaluator evaluator, DateTimeOffset now)
        {
            var at = test.At ?? now;
            var decision = evaluator.Decide(test.Job, at);
            return new CaseRun(
                test,
                decision,
                CaseComparison.Differences(test.Expect, decision),
                evaluator
                    .DecideWithoutEach(test.Job, at)
                    .Where(without => CaseComparison.Differences(test.Expect, without.Value).Count > 0)
                    .Select(without => without.Key)
                    .ToHashSet()
            );
        }
    }
}
