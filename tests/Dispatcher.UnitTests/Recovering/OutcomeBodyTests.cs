using System.Text;
using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.Messaging;
using Dispatcher.Recovering;

namespace Dispatcher.UnitTests.Recovering;

public sealed class OutcomeBodyTests
{
    private static readonly AJob Running = AJob.ToTest().Running();

    [Fact]
    public void A_batch_is_read_whole()
    {
        var batch = Read(Json(AnOutcome.Succeeded(Running, "1"), AnOutcome.Faulted(Running)));

        Assert.Equal([OutcomeKind.Succeeded, OutcomeKind.Faulted], batch.Batch!.Outcomes.Select(outcome => outcome.Kind));
    }

    /// <summary>Any handler may return text with it, and the batch holds the outcomes of others.</summary>
    [Fact]
    public void U0000_in_a_result_or_a_fault_keeps_no_outcome_away()
    {
        var (batch, errors) = Read(Json(AnOutcome.Succeeded(Running, "\"a\\u0000b\""), AnOutcome.Faulted(Running, message: "a\0b"), AnOutcome.Succeeded(Running, "1")));

        Assert.Empty(errors);
        Assert.Equal(3, batch!.Outcomes.Count);
        Assert.Equal("\"a\\u0000b\"", Encoding.UTF8.GetString(Recovery.Of(Running.Stored, batch.Outcomes[0], AJob.Around("idempotent: true")).After.Result!));
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"v":1,"outcomes":null}""")]
    [InlineData("""{"v":1,"outcomes":[null]}""")]
    [InlineData("""{"v":1,"outcomes":[{}]}""")]
    [InlineData("""{"v":1,"outcomes":[],"surprise":1}""")]
    [InlineData("""{"v":1,"outcomes":[],"outcomes":[]}""")]
    [InlineData("""{"v":1,"outcomes":[],"\ud800":1}""")]
    public void What_is_no_batch_is_refused_with_an_error(string body)
    {
        var (batch, errors) = Read(body);

        Assert.Null(batch);
        Assert.NotEmpty(errors);
    }

    [Theory]
    [InlineData("type")]
    [InlineData("message")]
    public void A_fault_with_a_null_in_it_is_refused(string member)
    {
        var json = Json(AnOutcome.Faulted(Running)).Replace(member == "type" ? "\"System.IO.IOException\"" : "\"It broke.\"", "null", StringComparison.Ordinal);

        Assert.NotEmpty(Read(json).Errors);
    }

    [Fact]
    public void Nobody_reports_without_a_name() => Assert.Equal(["no_principal"], Read(Json(AnOutcome.Succeeded(Running)), userId: null).Errors.Select(error => error.Code));

    private static string Json(params AttemptOutcome[] outcomes) => JsonSerializer.Serialize(new OutcomeBatch { Outcomes = outcomes }, WireJson.Default.OutcomeBatch);

    private static (OutcomeBatch? Batch, IReadOnlyList<InputError> Errors) Read(string body, string? userId = "main-worker")
    {
        var errors = new List<InputError>();
        var batch = OutcomeConsumer.Read(Encoding.UTF8.GetBytes(body), new DeliveryFacts { UserId = userId }, errors);
        return (batch, errors);
    }
}
