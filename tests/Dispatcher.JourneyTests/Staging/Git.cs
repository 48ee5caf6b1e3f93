using System.Diagnostics;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>A small real repository to read.</summary>
internal static class Git
{
    public static async Task MakeRepositoryAsync(string folder)
    {
        if (Directory.Exists(folder))
        {
            return;
        }

        Directory.CreateDirectory(folder);
        await File.WriteAllTextAsync(Path.Combine(folder, "hello.txt"), "hello\n", TestContext.Current.CancellationToken);
        await RunAsync(folder, "init", "-q");
        await RunAsync(folder, "add", ".");
        await RunAsync(folder, "-c", "user.name=Journey", "-c", "user.email=journey@example.com", "commit", "-q", "-m", "A first commit");
    }

    private static async Task RunAsync(string folder, params string[] arguments)
    {
        using var git = Process.Start(new ProcessStartInfo("git", arguments) { WorkingDirectory = folder })!;
        await git.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, git.ExitCode);
    }
}
