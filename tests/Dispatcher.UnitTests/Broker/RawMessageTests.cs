using System.Security.Cryptography;
using Dispatcher.Broker;

namespace Dispatcher.UnitTests.Broker;

public sealed class RawMessageTests
{
    [Fact]
    public void Body_at_the_limit_is_whole()
    {
        var message = RawMessage.Of(new byte[RawMessage.MaxBody]);

        Assert.Equal(RawMessage.MaxBody, message.Body.Length);
        Assert.Null(message.Cut);
    }

    /// <summary>As a body that is too large for a job, and not so large that it is cut at the socket.</summary>
    [Fact]
    public void Larger_body_is_cut_and_keeps_its_length_and_hash()
    {
        var body = new byte[RawMessage.MaxBody + 1];
        body[^1] = 7;

        var message = RawMessage.Of(body);

        Assert.Equal(CutBody.KeptBytes, message.Body.Length);
        Assert.Equal(new CutBody(body.Length, Convert.ToHexStringLower(SHA256.HashData(body))), message.Cut);
    }

    [Fact]
    public void Uncut_body_with_the_length_of_a_cut_one_is_not_marked_as_cut() =>
        Assert.Null(RawMessage.Of(new byte[CutBody.KeptBytes + CutBody.TrailerBytes]).Cut);
}
