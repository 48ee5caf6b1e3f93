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
        await using var git = new ChildProcess(new Dictionary<string, string>(), "git", arguments, folder);
        Assert.True(await git.EndAsync(TimeSpan.FromSeconds(30)) == 0, git.Log);
    }
}
