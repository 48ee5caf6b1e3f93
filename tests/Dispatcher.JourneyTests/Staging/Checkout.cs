using Dispatcher.UnitTests;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>
/// The root of the repository as a user has it after a clone. Documents may be followed in it without changing the repository: policies are
/// a copy, all else is linked. <c>dotnet run</c> takes what the test run has built. It starts the servers, which write files, and one verb
/// that reads some. The other verbs start the built program, which is ready in a third of the time.
/// </summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
internal sealed class Checkout : IDisposable
{
    private static readonly string Configuration = new DirectoryInfo(AppContext.BaseDirectory).FullName.Contains(
        "/Debug/",
        StringComparison.Ordinal
    )
        ? "Debug"
        : "Release";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("dispatcher-checkout-");

    public Checkout()
    {
        Directory.CreateDirectory(Root);
        Directory.CreateDirectory(Programs);
        foreach (
            var entry in Directory
                .GetFileSystemEntries(Repository.Root)
                .Where(entry => Path.GetFileName(entry) is not ("policies" or ".git" or "audit" or "data" or "draft" or "tls"))
        )
        {
            File.CreateSymbolicLink(Path.Combine(Root, Path.GetFileName(entry)), entry);
        }

        Copy(Path.Combine(Repository.Root, "policies"), Path.Combine(Root, "policies"));
        AddProgram(
            "dotnet",
            $$"""
            if [[ "$*" =~ ^run' '.*' -- '(demo|serve|policy' lint') ]]; then
                options=()
                for option; do [[ $option != -c && $option != Release || " ${options[*]} " == *" -- "* ]] && options+=("$option"); done
                exec '{{Dotnet()}}' run --no-build -c {{Configuration}} "${options[@]:1}"
            fi
            while [[ ${1:-} == run || ${1:-} == --project || ${1:-} == src/Dispatcher ]]; do shift; done
            exec '{{Dotnet()}}' '{{Path.Combine(AppContext.BaseDirectory, "dispatcher.dll")}}' "${@:2}"
            """
        );
    }

    public string Root => Path.Combine(_folder.FullName, "dispatcher");

    private string Programs => Path.Combine(_folder.FullName, "programs");

    /// <summary>A terminal in the root, with these variables.</summary>
    public Shell Shell(params (string Name, string Value)[] environment) =>
        new(
            Root,
            new Dictionary<string, string>(environment.Select(variable => new KeyValuePair<string, string>(variable.Name, variable.Value)))
            {
                ["PATH"] = $"{Programs}:{Environment.GetEnvironmentVariable("PATH")}",
            }
        );

    /// <summary>Puts a program on the path.</summary>
    public void AddProgram(string name, string script)
    {
        var file = Path.Combine(Programs, name);
        File.WriteAllText(file, "#!/bin/bash\n" + script + "\n");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private static string Dotnet() =>
        Environment.GetEnvironmentVariable("PATH")!.Split(':').Select(folder => Path.Combine(folder, "dotnet")).First(File.Exists);

    private static void Copy(string from, string to)
    {
        foreach (var file in Directory.GetFiles(from, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
    }
}
