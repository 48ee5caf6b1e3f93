using System.Net;
using System.Text;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>One who reads <c>GET /api/events</c>.</summary>
internal sealed class Listener : IAsyncDisposable
{
    private readonly HttpClient _http;
    private readonly StringBuilder _text = new();
    private readonly CancellationTokenSource _leaves = new();
    private readonly TaskCompletionSource _listens = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _reading;

    private Listener(DispatcherServer dispatcher, string key)
    {
        _http = dispatcher.Client(key);
        _http.Timeout = Timeout.InfiniteTimeSpan;
        _reading = ReadAsync();
    }

    public string Text
    {
        get
        {
            lock (_text)
            {
                return _text.ToString();
            }
        }
    }

    public bool HasEnded => _reading.IsCompleted;

    /// <summary>Listens already: what happens from now on is seen.</summary>
    public static async Task<Listener> AtAsync(DispatcherServer dispatcher, string key)
    {
        var listener = new Listener(dispatcher, key);
        await listener._listens.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        return listener;
    }

    public static async Task<HttpStatusCode> StatusAsync(DispatcherServer dispatcher, string key)
    {
        using var http = dispatcher.Client(key);
        using var answer = await http.GetAsync(
            new Uri("/api/events", UriKind.Relative),
            HttpCompletionOption.ResponseHeadersRead,
            TestContext.Current.CancellationToken
        );
        return answer.StatusCode;
    }

    public Task SeesAsync(Guid jobId, TimeSpan within) =>
        Eventually.IsAsync(
            () => Task.FromResult(Text.Contains(jobId.ToString(), StringComparison.Ordinal)),
            () => $"an event of {jobId} comes\n{Text}",
            within
        );

    public Task EndsAsync(TimeSpan within) => Eventually.IsAsync(() => Task.FromResult(HasEnded), () => $"the stream ends\n{Text}", within);

    public async ValueTask DisposeAsync()
    {
        await _leaves.CancelAsync();
        await _reading;
        _http.Dispose();
    }

    private async Task ReadAsync()
    {
        try
        {
            using var answer = await _http.GetAsync(
                new Uri("/api/events", UriKind.Relative),
                HttpCompletionOption.ResponseHeadersRead,
                _leaves.Token
            );
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(_leaves.Token));
            while (await reader.ReadLineAsync(_leaves.Token) is { } line)
            {
                lock (_text)
                {
                    _text.AppendLine(line);
                }

                _listens.TrySetResult();
            }
        }
        catch (Exception end) when (end is IOException or OperationCanceledException)
        {
            // The server cut it off, or the test is over.
        }
#pragma warning disable CA1031 // The waiting test must see any exception.
        catch (Exception refused)
#pragma warning restore CA1031
        {
            _listens.TrySetException(refused);
        }
    }
}
