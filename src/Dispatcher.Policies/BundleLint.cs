using Dispatcher.Policies.Files;
using Dispatcher.Policies.Linting;
using Dispatcher.Policies.Loading;
using Dispatcher.Policies.Testing;

namespace Dispatcher.Policies;

/// <summary>Looks for what a bundle says and its author hardly means.</summary>
public static class BundleLint
{
    /// <summary>
    /// Every load error, and what is wrong beyond form; so one run names all mistakes. A word that is misspelt counts as what it is near to. What follows from a broken part
    /// is not reported, nor what could not be proven within a bounded search.
    /// </summary>
    /// <param name="files">The bundle's files.</param>
    /// <param name="now">Which rules have expired, and what must be reviewed.</param>
    /// <returns>By file, line and code. Bad content is never thrown.</returns>
    public static IReadOnlyList<LintFinding> Check(IReadOnlyList<BundleFile> files, DateTimeOffset now)
    {
        ErrorList errors = new();
        var content = BundleReader.Read(files, errors);
        var cases = CasesReader.ReadAll(files, errors);
        LintedBundle bundle = new(content, now);
        FindingList findings = new(bundle.Submittable);
        foreach (var error in errors.Errors)
        {
            findings.Error(error.Where, error.Code, error.Message, error.Fix);
        }

        List<Action> checks = [new RuleLint(bundle, findings).Run, new TopicLint(bundle, findings).Run];
        if (bundle.Topics.Count > 0)
        {
            checks.AddRange([
                new MatchLint(bundle, findings).Run,
                new ConstraintLint(bundle, findings).Run,
                new ShadowLint(bundle, findings).Run,
                new WordLint(bundle, findings).Run,
                new CaseLint(bundle, cases, findings).Run,
            ]);
        }

        foreach (var check in checks)
        {
            bundle.Begin();
            check();
        }

        if (bundle.IsCut)
        {
            findings.Warning(
                "rules/",
                LintCodes.Incomplete,
                "there is more to search through than lint spends on one bundle, so some findings may be missing.",
                "lint parts of the bundle by themselves."
            );
        }

        return findings.Sorted();
    }
}
