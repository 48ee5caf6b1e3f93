namespace Dispatcher.UnitTests.CommandLine;

/// <summary>A received request.</summary>
internal sealed record ReceivedRequest(string Line, string Authorization, string ContentType, byte[] Body);

/// <summary>
/// Answers each request line (<c>GET /api/jobs?limit=1</c>) with prepared JSON over real HTTP: for exit codes and formats only. Journeys
/// use the real server.
/// </summary>
internal sealed class CannedServer : IAsyncDisposable
{
    private readonly Dictionary<string, Queue<(int Status, string Body)>> _answers = [];
    private readonly WebApplication _app;

    private CannedServer(WebApplication app) => _app = app;

    public List<ReceivedRequest> Requests { get; } = [];

    public string Url => _app.Urls.Single();

    public static async Task<CannedServer> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var server = new CannedServer(builder.Build());
        server._app.Run(server.AnswerAsync);
        await server._app.StartAsync(TestContext.Current.CancellationToken);
        return server;
    }

    /// <summary>Prepares an answer; several for one request line are sent in order, and the last one repeats.</summary>
    public CannedServer Answers(string requestLine, int status, string body)
    {
        if (!_answers.TryGetValue(requestLine, out var queue))
        {
            _answers[requestLine] = queue = new();
        }

        queue.Enqueue((status, body));
        return this;
    }

    /// <summary>Runs the real command line against this server.</summary>
    public Task<CallOutcome> RunAsync(params string[] args) =>
        CommandLineCall.RunAsync([.. args, "--url", Url], new Dictionary<string, string> { ["DISPATCHER_API_KEY"] = "a-key" }, "");

    /// <summary>The same on a terminal of this width; null: into a pipe.</summary>
    public Task<CallOutcome> RunAsync(int? width, string[] args) =>
        CommandLineCall.RunAsync([.. args, "--url", Url], new Dictionary<string, string> { ["DISPATCHER_API_KEY"] = "a-key" }, "", width);

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        var request = context.Request;
        var line = $"{request.Method} {request.Path}{request.QueryString}";
        Requests.Add(new ReceivedRequest(line, request.Headers.Authorization.ToString(), request.ContentType ?? "", body.ToArray()));

        var (status, answer) = _answers.TryGetValue(line, out var queue)
            ? (queue.Count > 1 ? queue.Dequeue() : queue.Peek())
            : (599, $"\"nothing prepared for {line}\"");
        context.Response.StatusCode = status;
        if (answer.Length > 0)
        {
            context.Response.ContentType = status < 400 ? "application/json" : "application/problem+json";
            await context.Response.WriteAsync(answer);
        }
    }
}
