using Dispatcher.Policies.Files;

namespace Dispatcher.UnitTests.Policies.Loading;

/// <summary>Loads a bundle of one registry and one rules file, for its errors.</summary>
internal static class BundleErrors
{
    public const string Topics = "version: v1\npools: {main: {enforcers: [timeout_ms]}}\ntopics: {test.run: {pool: main, owner: team}}";
    public const string Rules = "version: v1\nrules: []";

    /// <summary>A rules file whose first rule starts on line 3; the tested line is line 5 of the file.</summary>
    public const string Start = "version: v1\nrules:\n  - id: a\n    match: {topic: test.run}\n    ";

    public static IReadOnlyList<BundleError> Of(string rules) =>
        ABundle.WithFiles(("topics.yaml", Topics), ("rules/a.yaml", rules)).Load().Errors;
}
