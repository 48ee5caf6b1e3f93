using Dispatcher.ReferenceWorker.Payloads;
using Dispatcher.ReferenceWorker.Shell;
using Dispatcher.Worker;

namespace Dispatcher.UnitTests.ReferenceWorker.Payloads;

public sealed class PayloadTests : IDisposable
{
    private readonly ARun _run = new();

    public void Dispose() => _run.Dispose();

    [Fact]
    public async Task Every_error_of_a_payload_is_named_at_once()
    {
        var fault = await _run.With("""{"command": "git --version", "cwd": 7, "env": {"LD_PRELOAD": "x.so"}, "shell": true}""")
            .FaultOf(new ShellHandler(_run.Programs, _run.Options));

        Assert.Equal(("bad_payload", FaultClass.Terminal), (fault.Code, fault.FaultClass));
        foreach (var part in (string[])["'command' must be a list", "'cwd' must be a text, not 7", "'LD_PRELOAD'", "'shell' is unknown"])
        {
            Assert.Contains(part, fault.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("..")]
    [InlineData("a/../../b")]
    [InlineData("/etc")]
    [InlineData("missing")]
    public void A_path_that_leaves_its_root_is_refused(string path) =>
        Assert.Equal("path_refused", Assert.Throws<JobFaultException>(() => ConfinedPath.Below(_run.Root, path)).Code);

    [Theory]
    [InlineData("/etc")]
    [InlineData("../../../../../../etc")]
    [InlineData("inner/../../../../../../etc")]
    public void A_link_that_leads_out_is_refused(string target)
    {
        Directory.CreateDirectory(Path.Combine(_run.Root, "inner"));
        Directory.CreateSymbolicLink(Path.Combine(_run.Root, "way-out"), target);
        Directory.CreateSymbolicLink(Path.Combine(_run.Root, "detour"), "way-out");

        Assert.Equal("path_refused", Assert.Throws<JobFaultException>(() => ConfinedPath.Below(_run.Root, "way-out")).Code);
        Assert.Equal("path_refused", Assert.Throws<JobFaultException>(() => ConfinedPath.Below(_run.Root, "detour")).Code);
    }

    [Fact]
    public void A_neighbour_whose_name_begins_with_the_roots_is_outside()
    {
        Directory.CreateSymbolicLink(Path.Combine(_run.Root, "way-out"), _run.Root + "-store");

        Assert.Throws<JobFaultException>(() => ConfinedPath.Below(_run.Root, "way-out"));
    }

    [Fact]
    public void A_link_that_stays_below_the_root_is_followed()
    {
        Directory.CreateDirectory(Path.Combine(_run.Root, "inner"));
        Directory.CreateSymbolicLink(Path.Combine(_run.Root, "link"), "inner");

        Assert.Equal(ConfinedPath.Below(_run.Root, "inner"), ConfinedPath.Below(_run.Root, "link"));
    }
}
