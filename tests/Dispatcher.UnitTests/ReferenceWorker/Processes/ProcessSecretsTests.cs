using System.Runtime.InteropServices;
using Dispatcher.ReferenceWorker;
using Dispatcher.ReferenceWorker.Shell;

namespace Dispatcher.UnitTests.ReferenceWorker.Processes;

public sealed class ProcessSecretsTests : IDisposable
{
    private const int GetDumpable = 3;
    private const int SetDumpable = 4;

    private readonly ARun _run = new();

    public void Dispose() => _run.Dispose();

    [Fact]
    public void Registering_the_workers_makes_the_process_non_dumpable()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only Linux has prctl.");
        _ = Control(SetDumpable, 1);

        new ServiceCollection().AddReferenceWorker(["shell"], _ => { });

        Assert.Equal(0, Control(GetDumpable, 0));
    }

    [Fact]
    public async Task Program_cannot_read_the_environment_of_its_worker()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only Linux has /proc.");
        Assert.SkipWhen(Environment.IsPrivilegedProcess, "Root may read every process: run the tests as another user.");
        new ServiceCollection().AddReferenceWorker(["shell"], _ => { });

        var worker = $"/proc/{Environment.ProcessId}/environ";
        var script = $"cat {worker} /proc/$PPID/environ 2>&1 || echo refused; cat /proc/self/environ > /dev/null && echo own";
        var result = await _run.With($$"""{"command": ["sh", "-c", "{{script}}"]}""").By(new ShellHandler(_run.Programs, _run.Options));

        // The program reads its own environment, so the refusal does not come from a missing /proc.
        Assert.EndsWith("Permission denied\nrefused\nown\n", result.GetProperty("stdout").GetString(), StringComparison.Ordinal);
    }

    [DllImport("libc", EntryPoint = "prctl")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Control(int option, nuint value);
}
