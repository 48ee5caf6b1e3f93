using System.ComponentModel;
using System.Diagnostics;

namespace Dispatcher.CommandLine.Demo;

/// <summary>A git repository with one commit, for the job that reads a repository. Without git on the machine that job fails.</summary>
internal static class DemoRepository
{
    public static async Task MakeAsync(string folder, CancellationToken cancellationToken)
    {
        var path = Directory.CreateDirectory(Path.Combine(folder, "demo")).FullName;
        await File.WriteAllTextAsync(Path.Combine(path, "README.md"), "A repository for the demonstration.\n", cancellationToken);
        try
        {
            await GitAsync(path, ["init", "--quiet"], cancellationToken);
            await GitAsync(path, ["add", "README.md"], cancellationToken);
            await GitAsync(
                path,
                ["-c", "user.name=demo", "-c", "user.email=demo@localhost", "commit", "--quiet", "--message", "Say what this is"],
                cancellationToken
            );
        }
        catch (Win32Exception)
        {
            // git is not installed: the job reports that.
        }
    }

    private static async Task GitAsync(string folder, string[] arguments, CancellationToken cancellationToken)
    {
        using var git = Process.Start(new ProcessStartInfo("git", arguments) { WorkingDirectory = folder, RedirectStandardOutput = true })!;
        await git.WaitForExitAsync(cancellationToken);
    }
}
