using System.Text;
using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.Worker.Claiming;
using Dispatcher.Worker.Pools;

namespace Dispatcher.UnitTests.Worker.Claiming;

public sealed class PermitCheckTests
{
    [Fact]
    public void Takes_a_permit_that_fits()
    {
        var work = new AWork();

        var check = PermitCheck.Of(work.Body, work.Permit, "test");

        Assert.Equal(PermitFault.None, check.Fault);
        Assert.Equal(work.Message.JobId, check.Message!.JobId);
    }

    [Fact]
    public void Refuses_a_body_that_was_changed_by_one_byte()
    {
        var work = new AWork();

        Assert.Equal(PermitFault.OtherBody, PermitCheck.Of((byte[])[.. work.Body, (byte)' '], work.Permit, "test").Fault);
    }

    [Fact]
    public void Refuses_a_permit_for_another_pool() =>
        Assert.Equal(PermitFault.OtherPool, Check(new AWork().Permitted(claims => claims with { Aud = "other" })));

    [Fact]
    public void Refuses_a_permit_for_another_job() =>
        Assert.Equal(PermitFault.OtherJob, Check(new AWork().Permitted(claims => claims with { Sub = Guid.CreateVersion7() })));

    [Fact]
    public void Refuses_a_permit_for_another_attempt() =>
        Assert.Equal(PermitFault.OtherJob, Check(new AWork().Permitted(claims => claims with { Att = 2 })));

    [Fact]
    public void Does_not_check_the_expiry_which_the_server_checks() =>
        Assert.Equal(PermitFault.None, Check(new AWork().Permitted(claims => claims with { Exp = 1 })));

    [Theory]
    [InlineData(null, "Missing")]
    [InlineData("", "Unreadable")]
    [InlineData("a.b", "Unreadable")]
    [InlineData("a.!!.c", "Unreadable")]
    [InlineData("e30.e30.c2ln", "Unreadable")]
    [InlineData("e30.bnVsbA.c2ln", "Unreadable")]
    public void Refuses_a_permit_that_is_missing_or_unreadable(string? permit, string fault) =>
        Assert.Equal(fault, PermitCheck.Of(new AWork().Body, permit, "test").Fault.ToString());

    [Fact]
    public void Refuses_a_body_that_is_not_a_work_message()
    {
        var body = Encoding.UTF8.GetBytes("""{"v":1}""");
        var permit = new AWork()
            .Permitted(claims => claims with { Bh = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(body)) })
            .Permit;

        Assert.Equal(PermitFault.UnreadableBody, PermitCheck.Of(body, permit, "test").Fault);
    }

    [Theory]
    [InlineData("{", """{"a_later_field":{"a":1},""", "None")]
    [InlineData("\"constraints\":{", "\"constraints\":{\"a_later_limit\":1,", "UnreadableBody")]
    public void Ignores_an_unknown_field_but_refuses_an_unknown_constraint(string before, string after, string expected)
    {
        var work = new AWork().With(message => message with { Constraints = new Constraints { TimeoutMs = 1000 } });
        var text = Encoding.UTF8.GetString(work.Body);
        var at = text.IndexOf(before, StringComparison.Ordinal);
        var body = Encoding.UTF8.GetBytes(text[..at] + after + text[(at + before.Length)..]);

        var permit = work.Permitted(claims =>
            claims with
            {
                Bh = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(body)),
            }
        ).Permit;

        Assert.Equal(expected, PermitCheck.Of(body, permit, "test").Fault.ToString());
    }

    [Fact]
    public void Ignores_unknown_fields_of_answers_and_permits()
    {
        Assert.NotNull(
            JsonSerializer.Deserialize("""{"claims":[{"status":"taken","later":1}],"later":1}""", WorkerJson.Default.ClaimAnswer)
        );
        Assert.NotNull(JsonSerializer.Deserialize("""{"cancelled":[],"fenced":[],"later":1}""", WorkerJson.Default.HeartbeatAnswer));
        Assert.NotNull(
            JsonSerializer.Deserialize(
                $$"""{"jti":"{{Guid.Empty}}","sub":"{{Guid.Empty}}","att":1,"aud":"test","exp":1,"bh":"","later":1}""",
                WorkerJson.Default.PermitClaims
            )
        );
    }

    private static PermitFault Check(AWork work) => PermitCheck.Of(work.Body, work.Permit, "test").Fault;
}
