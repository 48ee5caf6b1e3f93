using System.Diagnostics;
using System.Text.Json;
using Dispatcher.Policies;
using Dispatcher.Policies.Files;
using Dispatcher.UnitTests.Policies.Schemas;

namespace Dispatcher.UnitTests.Policies.Loading;

/// <summary>The cost of loading is linear in the size of the bundle, even if every part of it has an error.</summary>
public class LoadLimitTests
{
    /// <summary>
    /// Without limits each of these took minutes or hundreds of megabytes. On a busy machine a valid load takes a few seconds.
    /// </summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Theory]
    [InlineData("timeouts: {run: 999999999h}", "topics.yaml:5")]
    [InlineData("timeouts: {start: 256204779h}", "topics.yaml:5")]
    public void Huge_duration_is_an_error(string entry, string where)
    {
        var error = Assert.Single(ABundle.WithRules().AndTopic(entry).Load().Errors);

        Assert.Equal(("bad_value", where), (error.Code, error.Where));
        Assert.NotEmpty(ABundle.WithRules().AndTopic(entry).Lint());
    }

    [Fact]
    public void Huge_use_within_is_an_error()
    {
        var error = Assert.Single(
            ABundle
                .WithRules("id: a, match: {topic: test.run}, decision: REQUIRE_APPROVAL, approval: {use_within: 300000000h}")
                .Load()
                .Errors
        );

        Assert.Equal("bad_value", error.Code);
    }

    [Fact]
    public void Exception_in_the_loader_is_an_error_of_the_bundle()
    {
        var load = Bundle.Load([new BundleFile(null!, default)]);

        Assert.Equal(("load_failed", null), (Assert.Single(load.Errors).Code, load.Bundle));
    }

    [Fact]
    public void List_of_errors_ends_after_two_hundred_with_a_note()
    {
        var load = ABundle
            .WithRules([.. Enumerable.Range(0, 500).Select(i => $"id: r{i}, match: {{topic: test.run}}, decision: MAYBE")])
            .Load();

        Assert.Equal((201, null), (load.Errors.Count, load.Bundle));
        Assert.Equal("too_many_errors", load.Errors[200].Code);
        Assert.All(load.Errors.Take(200), error => Assert.Equal("unknown_decision", error.Code));
        Assert.Equal(
            200,
            ABundle
                .WithRules([.. Enumerable.Range(0, 200).Select(i => $"id: r{i}, match: {{topic: test.run}}, decision: MAYBE")])
                .Load()
                .Errors.Count
        );
    }

    [Fact]
    public void Error_names_some_known_words_and_the_number_of_the_others()
    {
        var topics =
            "version: v1\npools:\n"
            + string.Concat(Enumerable.Range(0, 500).Select(i => $"  pool{i}: {{}}\n"))
            + "topics:\n  test.run: { pool: pol7, owner: team }\n";

        var error = Assert.Single(ABundle.WithRules().AndFile("topics.yaml", topics).Load().Errors);

        Assert.Equal("did you mean 'pool7'?", error.Fix);
        Assert.EndsWith("pool8, pool9, pool10, pool11 and 488 more.", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Long_word_is_cut_and_has_no_hint()
    {
        var error = Assert.Single(ABundle.WithRules().AndTopic($"risk: {new string('h', 100_000)}").Load().Errors);

        Assert.Equal("write one of these.", error.Fix);
        Assert.InRange(error.Message.Length, 1, 500);
    }

    [Fact]
    public void Many_wrong_names_are_reported_quickly()
    {
        var pools = string.Concat(Enumerable.Range(0, 8_000).Select(i => $"  pool-{i}-{new string('x', 40)}: {{}}\n"));
        var topics = string.Concat(
            Enumerable.Range(0, 8_000).Select(i => $"  test.run{i}: {{ pool: poll-{i}-{new string('x', 20)}, owner: team }}\n")
        );
        var watch = Stopwatch.StartNew();

        var load = ABundle.WithRules().AndFile("topics.yaml", $"version: v1\npools:\n{pools}topics:\n{topics}").Load();

        Assert.True(watch.Elapsed < Patience, $"took {watch.Elapsed}");
        Assert.InRange(load.Errors.Sum(error => error.Message.Length), 1, 500_000);
    }

    [Fact]
    public void Many_wrong_references_are_reported_quickly()
    {
        var definitions = string.Join(
            ',',
            Enumerable.Range(0, 3_000).Select(i => $"\"d{i}\":{{\"$ref\":\"#/$defs/e{i}-{new string('x', 30)}\"}}")
        );
        var watch = Stopwatch.StartNew();

        var load = ASchema.Bundle($"{{\"$defs\":{{{definitions}}}}}").Load();

        Assert.True(watch.Elapsed < Patience, $"took {watch.Elapsed}");
        Assert.InRange(load.Errors.Sum(error => error.Message.Length), 1, 500_000);
    }

    [Fact]
    public void Long_chain_of_definitions_loads_quickly()
    {
        var definitions = string.Join(
            ',',
            Enumerable.Range(0, 7_000).Select(i => $"\"d{i}\":{{\"$ref\":\"#/$defs/d{i + 1}\"}}").Append("\"d7000\":{\"type\":\"null\"}")
        );
        var watch = Stopwatch.StartNew();

        var bundle = ASchema.Bundle($"{{\"$ref\":\"#/$defs/d0\",\"$defs\":{{{definitions}}}}}").Build();

        Assert.True(watch.Elapsed < Patience, $"took {watch.Elapsed}");
        Assert.Equal("payload_invalid", bundle.Decide(AJob.ToTest().WithPayload("null").Facts, ABundle.Now).Reason);
    }

    [Theory]
    [InlineData("a>b b>c c>a", "c")]
    [InlineData("a>b b>b c>a", "b")]
    [InlineData("a>b a>c b>d c>d", null)]
    [InlineData("a>b b>a c>d d>c", "b d")]
    public void Each_circle_of_definitions_is_named_once(string references, string? circles)
    {
        var schemas = references
            .Split(' ')
            .GroupBy(reference => reference[0], reference => reference[2])
            .ToDictionary(
                from => from.Key.ToString(),
                from => (object)new { allOf = from.Select(to => new Dictionary<string, string> { ["$ref"] = $"#/$defs/{to}" }) }
            );
        foreach (var name in references.Split(' ').Select(reference => reference[2..]))
        {
            schemas.TryAdd(name, new { });
        }

        var errors = ASchema.Bundle(JsonSerializer.Serialize(new Dictionary<string, object> { ["$defs"] = schemas })).Load().Errors;

        Assert.Equal(circles?.Split(' ').Length ?? 0, errors.Count);
        Assert.All(errors, error => Assert.Contains("refers to itself", error.Message, StringComparison.Ordinal));
    }
}
