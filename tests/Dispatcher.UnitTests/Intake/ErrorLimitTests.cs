using System.Text;
using Dispatcher.Base;
using Dispatcher.Contracts;

namespace Dispatcher.UnitTests.Intake;

/// <summary>However wrong a body is, what is said of it stays small.</summary>
public sealed class ErrorLimitTests
{
    [Theory]
    [InlineData(50, 50)]
    [InlineData(51, 51)]
    [InlineData(5_000, 51)]
    public void At_most_50_unknown_members_are_listed_and_then_that_there_are_more(int members, int listed)
    {
        var errors = ASubmission.With(string.Join(',', Enumerable.Range(0, members).Select(i => $"\"x{i}\":1"))).Read().Errors;

        Assert.Equal(listed, errors.Count);
        Assert.Equal(members > 50, errors[^1].Code == "too_many_errors");
        Assert.All(errors.Take(50), error => Assert.Equal("unknown_field", error.Code));
    }

    [Theory]
    [InlineData("\"\\u0000\"")]
    [InlineData("\"\\ud800\"")]
    [InlineData("{\"\\u0000\":1}")]
    public void A_long_key_is_not_repeated_for_everything_below_it(string item)
    {
        var body = ASubmission.WithPayload($"{{\"{new string('k', 195_000)}\":[{string.Join(',', Enumerable.Repeat(item, 10_000))}]}}");
        var before = GC.GetAllocatedBytesForCurrentThread();

        var errors = body.Read().Errors;

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 20_000_000);
        Assert.Equal(51, errors.Count);
        Assert.Equal("too_many_errors", errors[^1].Code);
        Assert.All(errors.Take(50), error => Assert.Equal("/payload/" + new string('k', 247) + "…", error.Where));
    }

    [Fact]
    public void Where_U0000_is_allowed_a_long_key_costs_no_more()
    {
        var body = Encoding.UTF8.GetBytes(
            $"{{\"{new string('k', 195_000)}\":[{string.Join(',', Enumerable.Repeat("\"\\u0000\"", 10_000))}]}}"
        );
        var errors = new List<InputError>();
        var before = GC.GetAllocatedBytesForCurrentThread();

        using var document = StrictJson.Parse(body, errors, nulAllowed: true);

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 20_000_000);
        Assert.NotNull(document);
        Assert.Empty(errors);
    }

    [Fact]
    public void A_name_has_no_control_characters_where_it_is_shown() =>
        Assert.Equal(
            ["nul_character /payload", "nul_character /payload/a?b?[31m?"],
            ASubmission.WithPayload("{\"a\\nb\\u001b[31m\\u0000\":\"\\u0000\"}").Refused()
        );

    [Fact]
    public void A_pair_of_surrogates_is_not_cut_in_two() =>
        Assert.Equal([$"unknown_field /{new string('x', 63)}…"], ASubmission.With($"\"{new string('x', 63)}😀\":1").Refused());

    [Fact]
    public void An_unknown_member_with_a_long_name_is_compared_by_its_beginning_only()
    {
        var body = ASubmission.With($"\"{new string('t', 300_000)}\":1");
        var before = GC.GetAllocatedBytesForCurrentThread();

        Assert.Single(body.Refused());

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 20_000_000);
    }
}
