using System.Text;
using System.Text.Json;
using Dispatcher.Outbox;

namespace Dispatcher.UnitTests.Dispatching;

/// <summary>A dispatch signal is read without trust: it bounds what it makes the server do.</summary>
public sealed class SignalTests
{
    private static readonly HashSet<string> Known = ["", "repo", "shell"];

    [Fact]
    public void Only_known_pools_are_returned_each_once() =>
        Assert.Equal(["", "shell"], Read(new { v = 1, pools = new[] { "shell", "other", "", "shell", null } })!.Order());

    [Fact]
    public void As_many_pools_as_a_signal_may_name_fit_into_it()
    {
        var pools = Enumerable.Range(0, DispatchSignal.MaxPools + 100).Select(n => n.ToString("D64", null)).ToList();

        var message = DispatchSignal.Message(pools, TimeProvider.System);

        Assert.Equal(pools.Take(DispatchSignal.MaxPools), DispatchSignal.Read(message.Body, pools.ToHashSet(), out _)!.Order());
    }

    [Fact]
    public void An_oversized_signal_is_not_read()
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
    public void A_signal_that_names_no_pool_is_not_read(string body)
    {
        Assert.Null(DispatchSignal.Read(Encoding.UTF8.GetBytes(body), Known, out var fault));
        Assert.NotEmpty(fault);
    }

    private static IReadOnlyList<string>? Read(object body) => DispatchSignal.Read(JsonSerializer.SerializeToUtf8Bytes(body), Known, out _);
}
