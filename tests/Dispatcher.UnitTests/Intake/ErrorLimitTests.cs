using System.Text;
using Dispatcher.Base;
using Dispatcher.Contracts;

namespace Dispatcher.UnitTests.Intake;

/// <summary>The list of errors stays small for every invalid body.</summary>
public sealed class ErrorLimitTests
{
    [Theory]
    [InlineData(50, 50)]
    [InlineData(51, 51)]
    [InlineData(5_000, 51)]
    public void Reader_lists_at_most_50_errors_and_reports_that_more_exist(int members, int listed)
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
    public void Long_key_is_cut_in_the_location_of_each_error_below_it(string item)
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
    public void Long_key_allocates_little_where_U0000_is_allowed()
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
    public void Error_location_replaces_control_characters() =>
        Assert.Equal(
            ["nul_character /payload", "nul_character /payload/a?b?[31m?"],
            ASubmission.WithPayload("{\"a\\nb\\u001b[31m\\u0000\":\"\\u0000\"}").Refused()
        );

    [Fact]
    public void Error_location_does_not_cut_a_surrogate_pair() =>
        Assert.Equal([$"unknown_field /{new string('x', 63)}…"], ASubmission.With($"\"{new string('x', 63)}😀\":1").Refused());

    [Fact]
    public void Unknown_member_with_a_long_name_allocates_little()
    {
        var body = ASubmission.With($"\"{new string('t', 300_000)}\":1");
        var before = GC.GetAllocatedBytesForCurrentThread();

        Assert.Single(body.Refused());

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 20_000_000);
    }
}
