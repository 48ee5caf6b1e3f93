using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;

namespace Dispatcher.Benchmarks.Staging;

/// <summary>The management API of the private broker.</summary>
internal sealed class BrokerAdmin : IDisposable
{
    public const string Password = "benchmark";

    private readonly HttpClient _http;
    private readonly Uri _rabbitMq;

    public BrokerAdmin(PrivateServers servers)
    {
        _rabbitMq = servers.RabbitMq;
        var login = Convert.ToBase64String(Encoding.ASCII.GetBytes(Uri.UnescapeDataString(_rabbitMq.UserInfo)));
        _http = new HttpClient
        {
            BaseAddress = servers.Management,
            DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Basic", login) },
        };
    }

    public Uri AddressOf(string user, string vhost) => new($"amqp://{user}:{Password}@{_rabbitMq.Host}:{_rabbitMq.Port}/{vhost}");

    /// <summary>A virtual host in which each of the users may do anything.</summary>
    public async Task MakeVhostAsync(string vhost, string[] users, CancellationToken cancellationToken)
    {
        await PutAsync($"api/vhosts/{vhost}", new { }, cancellationToken);
        foreach (var user in users)
        {
            await PutAsync($"api/users/{user}", new { password = Password, tags = "" }, cancellationToken);
            await PutAsync(
                $"api/permissions/{vhost}/{user}",
                new
                {
                    configure = ".*",
                    write = ".*",
                    read = ".*",
                },
                cancellationToken
            );
        }
    }

    public async Task DropVhostAsync(string vhost)
    {
        using var answer = await _http.DeleteAsync(new Uri($"api/vhosts/{vhost}", UriKind.Relative), CancellationToken.None);
    }

    /// <summary>Messages that were published in a virtual host since it was made. The broker updates the number every 5 s.</summary>
    public async Task<long> PublishedAsync(string vhost, CancellationToken cancellationToken)
    {
        var answer = await _http.GetFromJsonAsync<JsonElement>(new Uri($"api/vhosts/{vhost}", UriKind.Relative), cancellationToken);
        return answer.TryGetProperty("message_stats", out var stats) && stats.TryGetProperty("publish", out var published)
            ? published.GetInt64()
            : 0;
    }

    public void Dispose() => _http.Dispose();

    private async Task PutAsync<T>(string path, T body, CancellationToken cancellationToken)
    {
        using var answer = await _http.PutAsJsonAsync(new Uri(path, UriKind.Relative), body, cancellationToken);
        answer.EnsureSuccessStatusCode();
    }
}
