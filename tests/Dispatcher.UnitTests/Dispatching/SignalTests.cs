using System.Text;
using System.Text.Json;
using Dispatcher.Outbox;

namespace Dispatcher.UnitTests.Dispatching;

/// <summary>A dispatch signal is untrusted input. Its size and the number of its pools are limited.</summary>
public sealed class SignalTests
{
    private static readonly HashSet<string> Known = ["", "repo", "shell"];

    [Fact]
    public void Signal_yields_each_known_pool_once() =>
        Assert.Equal(["", "shell"], Read(new { v = 1, pools = new[] { "shell", "other", "", "shell", null } })!.Order());

    [Fact]
    public void Signal_holds_the_maximum_number_of_pools()
    {
        var pools = Enumerable.Range(0, DispatchSignal.MaxPools + 100).Select(n => n.ToString("D64", null)).ToList();

        var message = DispatchSignal.Message(pools, TimeProvider.System);

        Assert.Equal(pools.Take(DispatchSignal.MaxPools), DispatchSignal.Read(message.Body, pools.ToHashSet(), out _)!.Order());
    }

    [Fact]
    public void Oversized_signal_is_refused()
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(new { v = 1, pools = Enumerable.Repeat("shell", 100_000) });

        Assert.Null(DispatchSignal.Read(body, Known, out var fault));
        Assert.Contains("65,536", fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"v":1,"pools":null}""")]
    [InlineData("""{"v":1,"pools":[]}""")]
    [InlineData("""{"v":1,"pools":[1]}""")]
    [InlineData("""{"v":1,"pools":["\ud800"]}""")]
    public void Signal_without_a_pool_is_refused(string body)
    {
        Assert.Null(DispatchSignal.Read(Encoding.UTF8.GetBytes(body), Known, out var fault));
        Assert.NotEmpty(fault);
    }

    private static IReadOnlyList<string>? Read(object body) => DispatchSignal.Read(JsonSerializer.SerializeToUtf8Bytes(body), Known, out _);
}
