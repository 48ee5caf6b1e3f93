using System.CommandLine;
using Dispatcher.Base;
using Dispatcher.CommandLine.Screens;

namespace Dispatcher.CommandLine;

/// <summary>One call of a verb that uses a server.</summary>
internal sealed record ServerCall(ParseResult Arguments, ApiClient Api, Screen Screen, Terminal Terminal, bool Json);

/// <summary>Creates verbs that use a server: they share their options, the lookup of server and key, and their errors.</summary>
internal sealed class ServerVerbs(Terminal terminal)
{
    private const string DefaultUrl = "http://127.0.0.1:8080";

    private readonly Option<bool> _json = new("--json") { Description = "Print the server's JSON, unchanged, and nothing else." };
    private readonly Option<string?> _url = new("--url")
    {
        Description = $"Where the server listens. Else DISPATCHER_URL, else {DefaultUrl}.",
        HelpName = "URL",
    };
    private readonly Option<string?> _apiKey = new("--api-key")
    {
        Description =
            "The API key. Other users see arguments: better set DISPATCHER_API_KEY, or DISPATCHER_API_KEY_FILE to the path of a file.",
        HelpName = "KEY",
    };

    public Verb Add(Verb verb, Func<ServerCall, CancellationToken, Task<ExitCode>> run)
    {
        verb.Add(_json);
        verb.Add(_url);
        verb.Add(_apiKey);
        verb.SetAction((arguments, cancellationToken) => RunAsync(arguments, run, cancellationToken));
        return verb;
    }

    private async Task<int> RunAsync(
        ParseResult arguments,
        Func<ServerCall, CancellationToken, Task<ExitCode>> run,
        CancellationToken cancellationToken
    )
    {
        var screen = new Screen(terminal);
        try
        {
            var server = Server(arguments);
            if (server is { Scheme: "http", IsLoopback: false })
            {
                terminal.Error.WriteLine($"warning: the API key is sent to {server.Authority} in plain text. Use an https:// address.");
            }

            using var api = new ApiClient(server, Key(arguments));
            return (int)await run(new ServerCall(arguments, api, screen, terminal, arguments.GetValue(_json)), cancellationToken);
        }
        catch (ExitException failure)
        {
            screen.Failure(failure.Message, failure.Fix);
            return (int)failure.Code;
        }
    }

    private Uri Server(ParseResult arguments)
    {
        var (text, where) =
            arguments.GetValue(_url) is { } option ? (option, "--url")
            : terminal.Variable("DISPATCHER_URL") is { Length: > 0 } variable ? (variable, "DISPATCHER_URL")
            : (DefaultUrl, "the default");
        // The slash at the end keeps the path of a server below a path.
        return Uri.TryCreate(text.TrimEnd('/') + "/", UriKind.Absolute, out var url) && url.Scheme is "http" or "https"
            ? url
            : throw new ExitException(
                ExitCode.WrongUse,
                $"{where} is not the address of a server: '{text}'.",
                $"Give an http or https address, such as {DefaultUrl}."
            );
    }

    private string Key(ParseResult arguments)
    {
        var key = arguments.GetValue(_apiKey) ?? terminal.Variable("DISPATCHER_API_KEY");
        if (string.IsNullOrEmpty(key) && terminal.Variable("DISPATCHER_API_KEY_FILE") is { Length: > 0 } file)
        {
            key = System.Text.Encoding.UTF8.GetString(LocalInput.File(file, "DISPATCHER_API_KEY_FILE")).Trim();
        }

        return string.IsNullOrEmpty(key)
                ? throw new ExitException(
                    ExitCode.WrongUse,
                    "No API key is set.",
                    "Set DISPATCHER_API_KEY, or DISPATCHER_API_KEY_FILE to a file that contains it, or use --api-key."
                )
            : key.All(c => c is > ' ' and <= '~') ? key
            : throw new ExitException(
                ExitCode.WrongUse,
                "The API key contains spaces, line breaks or characters outside ASCII.",
                "Use the key as 'dispatcher keys create' printed it: one line without spaces."
            );
    }
}
