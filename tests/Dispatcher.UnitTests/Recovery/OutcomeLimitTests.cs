using System.Text;
using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Recovery;

namespace Dispatcher.UnitTests.Recovery;

/// <summary>The limits of one outcome message: 1 to 256 outcomes, at most 1 MiB.</summary>
public sealed class OutcomeLimitTests
{
    private static readonly AJob Running = AJob.ToTest().Running();

    [Theory]
    [InlineData(1)]
    [InlineData(256)]
    public void Message_with_as_many_outcomes_as_allowed_is_read(int count)
    {
        var (reading, errors) = Read(Json(Enumerable.Repeat(AnOutcome.Faulted(Running), count)));

        Assert.Empty(errors);
        Assert.Equal(count, reading.Outcomes.Count);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(257)]
    public void Message_with_no_or_too_many_outcomes_is_refused_whole(int count)
    {
        var (reading, errors) = Read(Json(Enumerable.Repeat(AnOutcome.Faulted(Running), count)));

        Assert.Empty(reading.Outcomes);
        Assert.Empty(reading.Refused);
        Assert.Equal("bad_outcome", Assert.Single(errors).Code);
    }

    [Fact]
    public void Message_with_very_many_elements_is_refused_whole_with_one_error()
    {
        var (reading, errors) = Read(Encoding.UTF8.GetBytes($"{{\"outcomes\":[{string.Join(',', Enumerable.Repeat(0, 500_000))}]}}"));

        Assert.Empty(reading.Refused);
        Assert.Contains("more than 256 elements", Assert.Single(errors).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(OutcomeReader.MaxBodyBytes, null)]
    [InlineData(OutcomeReader.MaxBodyBytes + 1, "body_too_large")]
    public void Body_of_at_most_1_MiB_is_read_and_a_larger_one_is_refused_whole(int bytes, string? error)
    {
        var rest = Json([AnOutcome.Succeeded(Running, "\"\"")]).Length;

        var (reading, errors) = Read(Json([AnOutcome.Succeeded(Running, $"\"{new string('r', bytes - rest)}\"")]));

        Assert.Equal(error is null ? 1 : 0, reading.Outcomes.Count);
        Assert.Equal(error, errors.SingleOrDefault()?.Code);
    }

    [Theory]
    [InlineData("0")]
    [InlineData("[{}]")]
    [InlineData("\"{}\"")]
    [InlineData("null")]
    public void Element_that_is_not_an_object_is_refused_without_an_exception(string element)
    {
        var (thread, thrown) = (Environment.CurrentManagedThreadId, 0);
        void Count(object? sender, System.Runtime.ExceptionServices.FirstChanceExceptionEventArgs args) =>
            thrown += Environment.CurrentManagedThreadId == thread ? 1 : 0;
        AppDomain.CurrentDomain.FirstChanceException += Count;
        try
        {
            var (reading, _) = Read(Encoding.UTF8.GetBytes($"{{\"outcomes\":[{string.Join(',', Enumerable.Repeat(element, 256))}]}}"));

            Assert.Equal(256, reading.Refused.Count);
            Assert.Equal(0, thrown);
        }
        finally
        {
            AppDomain.CurrentDomain.FirstChanceException -= Count;
        }
    }

    [Fact]
    public void Errors_of_refused_outcomes_are_kept_up_to_the_number_that_is_shown()
    {
        var (reading, _) = Read(Encoding.UTF8.GetBytes($"{{\"outcomes\":[{string.Join(',', Enumerable.Repeat("{}", 256))}]}}"));

        Assert.Equal((256, InputErrors.Max), (reading.Refused.Count, reading.Refused.Sum(refused => refused.Errors.Count)));
        Assert.NotEmpty(reading.Refused[0].Errors);
    }

    private static byte[] Json(IEnumerable<AttemptOutcome> outcomes) =>
        JsonSerializer.SerializeToUtf8Bytes(new OutcomeBatch { Outcomes = [.. outcomes] }, WireJson.Default.OutcomeBatch);

    private static (OutcomeReading Reading, IReadOnlyList<InputError> Errors) Read(byte[] body)
    {
        var errors = new List<InputError>();
        return (OutcomeReader.Read(body, DateTimeOffset.UnixEpoch, errors), errors);
    }
}
