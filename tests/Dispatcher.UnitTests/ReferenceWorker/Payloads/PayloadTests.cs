using System.Text.Json;
using Dispatcher.ReferenceWorker.Payloads;
using Dispatcher.ReferenceWorker.Shell;
using Dispatcher.Worker;

namespace Dispatcher.UnitTests.ReferenceWorker.Payloads;

public sealed class PayloadTests : IDisposable
{
    private readonly ARun _run = new();

    public void Dispose() => _run.Dispose();

    [Fact]
    public async Task All_errors_of_a_payload_are_reported_at_once()
    {
        var fault = await _run.With("""{"command": "git --version", "cwd": 7, "env": {"LD_PRELOAD": "x.so"}, "shell": true}""")
            .FaultOf(new ShellHandler(_run.Programs, _run.Options));

        Assert.Equal(("bad_payload", FaultClass.Terminal), (fault.Code, fault.FaultClass));
        foreach (var part in (string[])["'command' must be a list", "'cwd' must be a text, not 7", "'LD_PRELOAD'", "'shell' is unknown"])
        {
            Assert.Contains(part, fault.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Empty_required_text_is_reported_beside_other_errors()
    {
        var payload = new PayloadReader(JsonSerializer.Deserialize<JsonElement>("""{"repo": 7, "path": "", "ref": ""}"""));
        _ = (payload.RequiredText("repo"), payload.RequiredText("path"), payload.RequiredText("ref"));

        var fault = Assert.Throws<JobFaultException>(payload.Done);

        Assert.Contains(
            "'repo' must be a text, not 7; 'path' must not be empty; 'ref' must not be empty",
            fault.Message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("..")]
    [InlineData("a/../../b")]
    [InlineData("/etc")]
    [InlineData("missing")]
    public void Path_that_leaves_its_root_is_refused(string path) =>
        Assert.Equal("path_refused", Assert.Throws<JobFaultException>(() => ConfinedPath.Below(_run.Root, path)).Code);

    [Theory]
    [InlineData("/etc")]
    [InlineData("../../../../../../etc")]
    [InlineData("inner/../../../../../../etc")]
    public void Link_that_leads_out_of_its_root_is_refused(string target)
    {
        Directory.CreateDirectory(Path.Combine(_run.Root, "inner"));
        Directory.CreateSymbolicLink(Path.Combine(_run.Root, "way-out"), target);
        Directory.CreateSymbolicLink(Path.Combine(_run.Root, "detour"), "way-out");

        Assert.Equal("path_refused", Assert.Throws<JobFaultException>(() => ConfinedPath.Below(_run.Root, "way-out")).Code);
        Assert.Equal("path_refused", Assert.Throws<JobFaultException>(() => ConfinedPath.Below(_run.Root, "detour")).Code);
    }

    [Fact]
    public void Sibling_folder_whose_name_begins_with_the_name_of_the_root_is_outside_of_it()
    {
        Directory.CreateSymbolicLink(Path.Combine(_run.Root, "way-out"), _run.Root + "-store");

        Assert.Throws<JobFaultException>(() => ConfinedPath.Below(_run.Root, "way-out"));
    }

    [Fact]
    public void Link_that_stays_below_the_root_is_followed()
    {
        Directory.CreateDirectory(Path.Combine(_run.Root, "inner"));
        Directory.CreateSymbolicLink(Path.Combine(_run.Root, "link"), "inner");

        Assert.Equal(ConfinedPath.Below(_run.Root, "inner"), ConfinedPath.Below(_run.Root, "link"));
    }
}
