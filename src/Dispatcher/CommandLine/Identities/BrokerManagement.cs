using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Dispatcher.Base;

namespace Dispatcher.CommandLine.Identities;

/// <summary>
/// The users, rights, connections and queues of a broker, over the HTTP API of RabbitMQ's management plugin
/// (https://www.rabbitmq.com/docs/http-api-reference). Throws with <see cref="ExitCode.Unreachable"/> when the API does not answer or
/// refuses.
/// </summary>
internal sealed class BrokerManagement : IDisposable
{
    public const string SettingName = "DISPATCHER_RABBITMQ_MANAGEMENT";

    private const string Example = "http://admin:password@mq:15672 with a user that has the tag administrator";

    private readonly HttpClient _http;
    private readonly string _virtualHost;

    /// <param name="setting">Address of the API with the user and password of an administrator.</param>
    /// <param name="virtualHost">The virtual host whose rights are read and granted.</param>
    /// <exception cref="ExitException">The setting is no such address. The message contains no secret.</exception>
    public BrokerManagement(string setting, string virtualHost)
    {
        if (
            !Uri.TryCreate(setting, UriKind.Absolute, out var address)
            || address.Scheme is not ("http" or "https")
            || address.UserInfo.Split(':') is not [{ Length: > 0 } user, var password]
        )
        {
            throw new ExitException(
                ExitCode.WrongUse,
                $"{SettingName} is not an http or https address with user and password.",
                $"Give {Example}; special characters of the password are percent-encoded."
            );
        }

        Administrator = Uri.UnescapeDataString(user);
        Address = new UriBuilder(address)
        {
            UserName = "",
            Password = "",
            Path = address.AbsolutePath.TrimEnd('/') + "/",
        }.Uri;
        _virtualHost = Uri.EscapeDataString(virtualHost);
        _http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = !address.IsLoopback })
        {
            BaseAddress = Address,
            Timeout = TimeSpan.FromSeconds(30),
        };
        var basic = Encoding.UTF8.GetBytes($"{Administrator}:{Uri.UnescapeDataString(password)}");
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(basic));
    }

    /// <summary>The address without user and password.</summary>
    public Uri Address { get; }

    /// <summary>The user of the setting.</summary>
    public string Administrator { get; }

    public async Task<IReadOnlyList<BrokerUser>> UsersAsync(CancellationToken cancellationToken) =>
        [.. (await ListAsync("api/users", cancellationToken)).Select(user => new BrokerUser(Text(user, "name"), Tags(user)))];

    public async Task<IReadOnlyList<BrokerPermission>> PermissionsAsync(CancellationToken cancellationToken) =>
        [
            .. (await ListAsync($"api/vhosts/{_virtualHost}/permissions", cancellationToken)).Select(row => new BrokerPermission(
                Text(row, "user"),
                Text(row, "configure"),
                Text(row, "write"),
                Text(row, "read")
            )),
        ];

    public async Task<IReadOnlyList<BrokerTopicPermission>> TopicPermissionsAsync(CancellationToken cancellationToken) =>
        [
            .. (await ListAsync($"api/vhosts/{_virtualHost}/topic-permissions", cancellationToken)).Select(row => new BrokerTopicPermission(
                Text(row, "user"),
                new TopicRights(Text(row, "exchange"), Text(row, "write"), Text(row, "read"))
            )),
        ];

    /// <summary>The open connections. The broker lists a new connection, and forgets a closed one, within some seconds.</summary>
    public async Task<IReadOnlyList<BrokerConnection>> ConnectionsAsync(CancellationToken cancellationToken) =>
        [
            .. (await ListAsync($"api/vhosts/{_virtualHost}/connections", cancellationToken))
                .Where(row => Text(row, "user").Length > 0)
                .Select(row =>
                {
                    var client = row.TryGetProperty("client_properties", out var properties) ? properties : default;
                    return new BrokerConnection(
                        Text(row, "user"),
                        Text(row, "peer_host"),
                        Text(client, "product"),
                        Text(client, "connection_name")
                    );
                }),
        ];

    public async Task<IReadOnlyList<string>> QueuesAsync(CancellationToken cancellationToken) =>
        [.. (await ListAsync($"api/queues/{_virtualHost}", cancellationToken)).Select(queue => Text(queue, "name"))];

    /// <summary>The messages of a queue with those that a client has taken, as of some seconds ago. Null: not reported.</summary>
    public async Task<long?> MessagesAsync(string queue, CancellationToken cancellationToken) =>
        (await ListAsync($"api/queues/{_virtualHost}", cancellationToken))
            .Where(row => Text(row, "name") == queue)
            .Select(row => row.TryGetProperty("messages", out var messages) && messages.TryGetInt64(out var count) ? count : (long?)null)
            .SingleOrDefault();

    /// <summary>The exchange and routing key of each binding of a queue, without that of the default exchange.</summary>
    public async Task<IReadOnlyList<(string Exchange, string RoutingKey)>> BindingsAsync(
        string queue,
        CancellationToken cancellationToken
    ) =>
        [
            .. (await ListAsync($"api/queues/{_virtualHost}/{Uri.EscapeDataString(queue)}/bindings", cancellationToken))
                .Select(row => (Text(row, "source"), Text(row, "routing_key")))
                .Where(binding => binding.Item1.Length > 0),
        ];

    /// <summary>The policies of users and operators.</summary>
    public async Task<IReadOnlyList<BrokerPolicy>> PoliciesAsync(CancellationToken cancellationToken)
    {
        return [.. await OfKindAsync("policies", isOperators: false), .. await OfKindAsync("operator-policies", isOperators: true)];

        async Task<IEnumerable<BrokerPolicy>> OfKindAsync(string kind, bool isOperators) =>
            (await ListAsync($"api/{kind}/{_virtualHost}", cancellationToken)).Select(row => new BrokerPolicy(
                Text(row, "name"),
                Text(row, "pattern"),
                Text(row, "apply-to"),
                row.TryGetProperty("definition", out var definition) && definition.ValueKind == JsonValueKind.Object
                    ? [.. definition.EnumerateObject().Select(key => key.Name)]
                    : [],
                isOperators
            ));
    }

    /// <summary>Makes a user. False: it existed, and now has this password.</summary>
    public async Task<bool> PutUserAsync(string user, string passwordHash, string tags, CancellationToken cancellationToken) =>
        await PutAsync(
            $"api/users/{Uri.EscapeDataString(user)}",
            new
            {
                password_hash = passwordHash,
                hashing_algorithm = GeneratedSecret.RabbitMqAlgorithm,
                tags,
            },
            cancellationToken
        ) == HttpStatusCode.Created;

    /// <summary>Gives a user its rights in the virtual host.</summary>
    public async Task PermitAsync(string user, BrokerRights rights, CancellationToken cancellationToken)
    {
        // The topics first: without them the other rights would allow every topic.
        if (rights.Topics is { } topics)
        {
            await PutAsync(
                $"api/topic-permissions/{_virtualHost}/{Uri.EscapeDataString(user)}",
                new
                {
                    exchange = topics.Exchange,
                    write = topics.Write,
                    read = topics.Read,
                },
                cancellationToken
            );
        }

        await PutAsync(
            $"api/permissions/{_virtualHost}/{Uri.EscapeDataString(user)}",
            new
            {
                configure = rights.Configure,
                write = rights.Write,
                read = rights.Read,
            },
            cancellationToken
        );
    }

    /// <summary>Removes a user with all its rights; the broker closes its connections. False: it does not exist.</summary>
    public async Task<bool> DeleteUserAsync(string user, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Delete, $"api/users/{Uri.EscapeDataString(user)}");
        using var answer = await SendAsync(request, cancellationToken);
        if (answer.StatusCode == HttpStatusCode.NotFound)
        {
            return false;
        }

        await CheckAsync(request, answer, cancellationToken);
        return true;
    }

    public void Dispose() => _http.Dispose();

    private async Task<HttpStatusCode> PutAsync(string path, object body, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, path) { Content = JsonContent.Create(body) };
        using var answer = await SendAsync(request, cancellationToken);
        await CheckAsync(request, answer, cancellationToken);
        return answer.StatusCode;
    }

    private async Task<IReadOnlyList<JsonElement>> ListAsync(string path, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        using var answer = await SendAsync(request, cancellationToken);
        await CheckAsync(request, answer, cancellationToken);
        try
        {
            var list = JsonSerializer.Deserialize<JsonElement>(await answer.Content.ReadAsByteArrayAsync(cancellationToken));
            return list.ValueKind == JsonValueKind.Array ? [.. list.EnumerateArray()] : throw new JsonException();
        }
        catch (JsonException)
        {
            throw Unusable("the answer is not a JSON list", $"Give the address of the management API, for example {Example}.");
        }
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        try
        {
            return await _http.SendAsync(request, cancellationToken);
        }
        catch (Exception failure)
            when (failure is HttpRequestException || (failure is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            throw Unusable(
                failure is HttpRequestException ? failure.Message : $"no answer within {_http.Timeout.TotalSeconds:0} s",
                "Check host and port, and that the plugin is on: \"rabbitmq-plugins enable rabbitmq_management\"."
            );
        }
    }

    private async Task CheckAsync(HttpRequestMessage request, HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        if (answer.IsSuccessStatusCode)
        {
            return;
        }

        var said = InputErrors.Cut(await answer.Content.ReadAsStringAsync(cancellationToken), InputErrors.MaxWhere);
        throw answer.StatusCode switch
        {
            HttpStatusCode.Unauthorized => Unusable(
                $"user {Administrator} is refused",
                "Correct user and password, or give the user the tag administrator."
            ),
            HttpStatusCode.Forbidden => Unusable(
                $"user {Administrator} is no administrator",
                $"Run \"rabbitmqctl set_user_tags {Administrator} administrator\", or give another user."
            ),
            HttpStatusCode.NotFound => Unusable(
                $"{request.Method} {request.RequestUri} does not exist",
                "Check that the address is that of the management API, and that the virtual host of the broker's address exists."
            ),
            var status => Unusable(
                $"{request.Method} {request.RequestUri} ended with {(int)status}: {said}",
                "Correct what the answer names."
            ),
        };
    }

    private ExitException Unusable(string reason, string fix) =>
        new(ExitCode.Unreachable, $"{SettingName}: {Address} cannot be used: {reason}.", fix);

    private static string Text(JsonElement from, string name) =>
        from.ValueKind == JsonValueKind.Object && from.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()!
            : "";

    /// <summary>A list in RabbitMQ 3.9 and later; text with commas before.</summary>
    private static string Tags(JsonElement user) =>
        user.TryGetProperty("tags", out var tags) && tags.ValueKind == JsonValueKind.Array
            ? string.Join(',', tags.EnumerateArray().Select(tag => tag.GetString()))
            : Text(user, "tags");
}
