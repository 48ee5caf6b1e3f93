using Dispatcher.Policies.Files;
using Dispatcher.Policies.Linting;
using Dispatcher.Policies.Loading;
using Dispatcher.Policies.Testing;

namespace Dispatcher.Policies;

/// <summary>Finds mistakes that loading accepts.</summary>
public static class BundleLint
{
    /// <summary>
    /// Lists every load error and every lint finding, so that one run names all mistakes. A misspelt word is treated as the nearest known
    /// word. Lint does not report consequences of a broken part. It reports only findings that its bounded search proves.
    /// </summary>
    /// <param name="files">The bundle's files.</param>
    /// <param name="now">The current time. It decides which rules have expired and which reviews are due.</param>
    /// <returns>Sorted by file, line and code. Bad content does not throw.</returns>
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
                new ProducerTrustLint(bundle, findings).Run,
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
                "the bundle is too large for lint to search completely, so some findings may be missing.",
                "lint parts of the bundle separately."
            );
        }

        return findings.Sorted();
    }
}
