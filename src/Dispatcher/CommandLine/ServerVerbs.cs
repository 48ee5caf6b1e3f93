using System.CommandLine;
using Dispatcher.Base;

namespace Dispatcher.CommandLine;

/// <summary>One call of a verb that talks to a server: what it needs to do its work.</summary>
internal sealed record ServerCall(ParseResult Arguments, ApiClient Api, Screen Screen, Terminal Terminal, bool Json);

/// <summary>Makes verbs that talk to a server: they share their options, how they find server and key, and how they fail.</summary>
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
            "The API key. Better, since other users see arguments: DISPATCHER_API_KEY, or DISPATCHER_API_KEY_FILE with the path of a file.",
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
            using var api = new ApiClient(Server(arguments), Key(arguments));
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
        // With a slash at the end, so that a server below a path keeps its path.
        return Uri.TryCreate(text.TrimEnd('/') + "/", UriKind.Absolute, out var url) && url.Scheme is "http" or "https"
            ? url
            : throw new ExitException(
                ExitCode.WrongUse,
                $"{where} is no address of a server: '{text}'.",
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
                    "No API key.",
                    "Set DISPATCHER_API_KEY, or DISPATCHER_API_KEY_FILE to a file that holds it, or use --api-key."
                )
            : key.All(c => c is > ' ' and <= '~') ? key
            : throw new ExitException(
                ExitCode.WrongUse,
                "The API key has characters that no key has.",
                "Use the key as 'dispatcher keys create' printed it: one line without spaces."
            );
    }
}
