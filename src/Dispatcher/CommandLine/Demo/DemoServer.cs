using System.Text.Json;

namespace Dispatcher.CommandLine.Demo;

/// <summary>The demo's server as another terminal reaches it.</summary>
internal sealed record DemoServer(string Url, string Key)
{
    private const int ShownView = 12;

    /// <summary>
    /// Prints what to paste into another terminal to approve the held job, and to look around. The approver is another person than the one who
    /// submitted the job, with a key of their own.
    /// </summary>
    public void ShowHow(Screen screen, JsonElement held, string approverKey)
    {
        var (approval, job) = (held.Text("approval_id"), held.Text("job_id"));
        screen.Line("\nThe deployment waits for a person. In another terminal, name the server and this program:\n");
        screen.Command($"export DISPATCHER_URL={Url} DISPATCHER_API_KEY={Key}");
        screen.Command($$"""dispatcher() { {{Program()}} "$@"; }""");
        screen.Line("\nThere, approve the deployment with the key of another person, and watch this terminal:\n");
        screen.Command(
            $"DISPATCHER_API_KEY={approverKey} dispatcher approvals approve {approval} --view {held.Text("view_hash")[..ShownView]} --reason 'looked at it'"
        );
        screen.Line("\nAlso there, look around:\n");
        screen.Command("dispatcher jobs list");
        screen.Command($"dispatcher jobs timeline {job}");
        screen.Command($"dispatcher approvals show {approval}");
        screen.Command("curl -sN -H @<(echo \"Authorization: Bearer $DISPATCHER_API_KEY\") $DISPATCHER_URL/api/events");
        screen.Line("\nThe server stays up until Ctrl-C. What happens to the deployment:\n");
    }

    /// <summary>This program as a shell calls it: the file itself, or <c>dotnet</c> with it.</summary>
    private static string Program()
    {
        var program = Environment.ProcessPath ?? "dispatcher";
        return Path.GetFileNameWithoutExtension(program) == "dotnet"
            ? $"{Quoted(program)} {Quoted(Path.Combine(AppContext.BaseDirectory, "dispatcher.dll"))}"
            : Quoted(program);
    }

    private static string Quoted(string path) => $"'{path.Replace("'", @"'\''", StringComparison.Ordinal)}'";
}
