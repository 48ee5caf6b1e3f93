using System.Text.RegularExpressions;
using Dispatcher.CommandLine.Identities;
using Dispatcher.Policies.Evaluating;

namespace Dispatcher.UnitTests.CommandLine.Identities;

public sealed class TopicRegexTests
{
    private const int Rounds = 20_000;

    /// <summary>Few names, so that patterns and topics often agree; the others are what an expression could wrongly allow.</summary>
    private static readonly string[] Segments = ["job", "exec", "shell", "a-b", "c_d", "0"];
    private static readonly string[] Garbage = ["", "\n", " ", "#", "*", "**", "A", "é", ".", "job.exec", "\\", "x\n"];

    /// <summary>The broker matches as the policy does, and nothing that is no topic.</summary>
    [Fact]
    public void Expression_allows_exactly_the_topics_of_its_pattern()
    {
        var random = new Random(20261201);
        for (var round = 0; round < Rounds; round++)
        {
            var pattern = APattern(random);
            var topic = ATopic(random);
            var rights = new Identity("p", IdentityKind.Producer, [pattern]).Rights;

            var allows = Regex.IsMatch(topic, rights.Topics!.Write, RegexOptions.CultureInvariant);

            Assert.True(
                allows == (IsTopic(topic) && new TopicPattern(pattern).Fits(topic)),
                $"{pattern} -> {rights.Topics.Write} on '{topic}'"
            );
        }
    }

    [Fact]
    public void Several_patterns_allow_what_one_of_them_allows()
    {
        var random = new Random(4);
        for (var round = 0; round < Rounds; round++)
        {
            string[] patterns = [.. Enumerable.Range(0, 1 + random.Next(4)).Select(_ => APattern(random)).Distinct()];
            var topic = ATopic(random);
            var rights = new Identity("p", IdentityKind.MassTransitProducer, patterns).Rights;

            var allows = Regex.IsMatch(topic, rights.Topics!.Write, RegexOptions.CultureInvariant);

            Assert.Equal(IsTopic(topic) && patterns.Any(pattern => new TopicPattern(pattern).Fits(topic)), allows);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("job")]
    [InlineData("*")]
    [InlineData("**")]
    [InlineData("*.exec")]
    [InlineData("**.exec")]
    [InlineData("job.**.shell")]
    [InlineData("job.ex*")]
    [InlineData("job.*x")]
    [InlineData("job.***")]
    [InlineData("job..shell")]
    [InlineData(".job.exec")]
    [InlineData("job.exec.")]
    [InlineData("job.#")]
    [InlineData("job.exec|.*")]
    [InlineData("job.(exec)")]
    [InlineData("job.[a-z]")]
    [InlineData("job.exec\\.shell")]
    [InlineData("job.exec$")]
    [InlineData("job.exec\n")]
    [InlineData("job.{username}")]
    [InlineData("Job.exec")]
    [InlineData("a.b.c.d.e.f.g.h.i")]
    public void Pattern_that_could_allow_more_is_refused(string pattern)
    {
        Assert.False(TopicRegex.IsPattern(pattern));
        Assert.Contains(
            new Identity("p", IdentityKind.Producer, ["job.exec.shell", pattern]).Mistakes(),
            mistake => mistake.StartsWith("--topic '", StringComparison.Ordinal)
        );
    }

    private static string APattern(Random random)
    {
        var count = 1 + random.Next(4);
        var parts = Enumerable.Range(0, count).Select(_ => random.Next(3) == 0 ? "*" : Pick(random, Segments)).ToList();
        parts[^1] = random.Next(4) == 0 ? "**" : parts[^1];
        return string.Join('.', parts.Prepend(Pick(random, Segments)));
    }

    private static string ATopic(Random random) =>
        string.Join(
            '.',
            Enumerable.Range(0, 1 + random.Next(5)).Select(_ => random.Next(8) == 0 ? Pick(random, Garbage) : Pick(random, Segments))
        ) + (random.Next(10) == 0 ? Pick(random, Garbage) : "");

    private static bool IsTopic(string text) => Regex.IsMatch(text, @"^[a-z0-9_-]+(\.[a-z0-9_-]+)+\z");

    private static string Pick(Random random, string[] from) => from[random.Next(from.Length)];
}
