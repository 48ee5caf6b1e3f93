using System.Text.Json;
using Dispatcher.CommandLine.Screens;

namespace Dispatcher.CommandLine.Demo;

/// <summary>Address and key of the demo's server, for commands in another terminal.</summary>
internal sealed record DemoServer(string Url, string Key)
{
    private const int ShownViewDigits = 12;

    /// <summary>
    /// Prints commands for another terminal that approve the held job and show the state. The approver is a different person from the
    /// submitter, and has a separate key.
    /// </summary>
    public void ShowCommands(Screen screen, JsonElement held, string approverKey)
    {
        var (approval, job) = (held.Text("approval_id"), held.Text("job_id"));
        screen.Line("\nThe deployment waits for an approval. In another terminal, set the server and this program:\n");
        screen.Command($"export DISPATCHER_URL={Url} DISPATCHER_API_KEY={Key}");
        screen.Command($$"""dispatcher() { {{Program()}} "$@"; }""");
        screen.Line("\nIn that terminal, approve the deployment with the key of another person, and watch this terminal:\n");
        screen.Command(
            $"DISPATCHER_API_KEY={approverKey} dispatcher approvals approve {approval} --view "
                + $"{held.Text("view_hash")[..ShownViewDigits]} --reason 'reviewed'"
        );
        screen.Line("\nMore commands for that terminal:\n");
        screen.Command("dispatcher jobs list");
        screen.Command($"dispatcher jobs timeline {job}");
        screen.Command($"dispatcher approvals show {approval}");
        screen.Command("curl -sN -H @<(echo \"Authorization: Bearer $DISPATCHER_API_KEY\") $DISPATCHER_URL/api/events");
        screen.Line("\nThe server runs until Ctrl-C. Timeline of the deployment:\n");
    }

    /// <summary>The shell command of this program: the file itself, or <c>dotnet</c> with its DLL.</summary>
    private static string Program()
    {
        var program = Environment.ProcessPath ?? "dispatcher";
        return Path.GetFileNameWithoutExtension(program) == "dotnet"
            ? $"{Quoted(program)} {Quoted(Path.Combine(AppContext.BaseDirectory, "dispatcher.dll"))}"
            : Quoted(program);
    }

    private static string Quoted(string path) => $"'{path.Replace("'", @"'\''", StringComparison.Ordinal)}'";
}
