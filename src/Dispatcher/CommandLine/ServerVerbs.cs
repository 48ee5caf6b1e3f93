using System.CommandLine;
using Dispatcher.Base;
using Dispatcher.CommandLine.Screens;

namespace Dispatcher.CommandLine;

/// <summary>One call of a verb that uses a server.</summary>
/// <param name="Arguments">The parsed arguments.</param>
/// <param name="Server">The client. Its first use reads address and key, so that a verb can also run without a server.</param>
/// <param name="Screen">The output for people.</param>
/// <param name="Terminal">Streams and variables.</param>
/// <param name="Json">Whether the output is one JSON document.</param>
internal sealed record ServerCall(ParseResult Arguments, Lazy<ApiClient> Server, Screen Screen, Terminal Terminal, bool Json)
{
    public ApiClient Api => Server.Value;
}

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

    /// <param name="verb">The verb that gets the options.</param>
    /// <param name="run">Runs one call.</param>
    /// <param name="json">A <c>--json</c> of its own, for a verb whose document is not that of the server.</param>
    public Verb Add(Verb verb, Func<ServerCall, CancellationToken, Task<ExitCode>> run, Option<bool>? json = null)
    {
        json ??= _json;
        verb.Add(json);
        verb.Add(_url);
        verb.Add(_apiKey);
        verb.SetAction((arguments, cancellationToken) => RunAsync(arguments, json, run, cancellationToken));
        return verb;
    }

    private async Task<int> RunAsync(
        ParseResult arguments,
        Option<bool> json,
        Func<ServerCall, CancellationToken, Task<ExitCode>> run,
        CancellationToken cancellationToken
    )
    {
        var screen = new Screen(terminal);
        var server = new Lazy<ApiClient>(() => Client(arguments));
        try
        {
            return (int)await run(new ServerCall(arguments, server, screen, terminal, arguments.GetValue(json)), cancellationToken);
        }
        catch (ExitException failure)
        {
            screen.Failure(failure.Message, failure.Fix);
            return (int)failure.Code;
        }
        finally
        {
            if (server.IsValueCreated)
            {
                server.Value.Dispose();
            }
        }
    }

    /// <summary>Whether a key for the server is set.</summary>
    public bool HasKey(ParseResult arguments) =>
        new[] { arguments.GetValue(_apiKey), terminal.Variable("DISPATCHER_API_KEY"), terminal.Variable("DISPATCHER_API_KEY_FILE") }.Any(
            text => !string.IsNullOrEmpty(text)
        );

    private ApiClient Client(ParseResult arguments)
    {
        var server = Server(arguments);
        if (server is { Scheme: "http", IsLoopback: false })
        {
            terminal.Error.WriteLine($"warning: the API key is sent to {server.Authority} in plain text. Use an https:// address.");
        }

        return new ApiClient(server, Key(arguments));
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
