using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.CommandLine.Screens;
using Npgsql;

namespace Dispatcher.CommandLine.Identities;

/// <summary>The identity that a call creates, and how.</summary>
/// <param name="Identity">Name, kind and scope.</param>
/// <param name="Effects">Whether a worker gets a database role for the effects of its pool.</param>
/// <param name="Secrets">Where the secrets are written. Null: they are printed.</param>
/// <param name="IfMissing">Whether an identity that exists completely is fine.</param>
internal sealed record IdentityRequest(Identity Identity, bool Effects, string? Secrets, bool IfMissing);

/// <summary>A secret of an identity and the variable that takes it, or with the suffix <c>_FILE</c> its file.</summary>
internal sealed record IdentitySecret(string Name, string Variable)
{
    public static readonly IdentitySecret RabbitMq = new("rabbitmq", "DISPATCHER_RABBITMQ");
    public static readonly IdentitySecret ApiKey = new("api-key", "DISPATCHER_API_KEY");
    public static readonly IdentitySecret Postgres = new("postgres", "DISPATCHER_POSTGRES");
    public static readonly IdentitySecret Effects = new("effects", "DISPATCHER_EFFECTS");
}

/// <summary>
/// Makes the parts of an identity: broker user, database role, key, files. Every part is checked before the first is made. When a part
/// fails, those before it are removed, or the error names what is left.
/// </summary>
internal sealed class IdentityCreation(IdentityAccess access, IdentityRequest request)
{
    private readonly Identity _identity = request.Identity;
    private readonly SecretFolder? _folder = request.Secrets is { } folder ? new SecretFolder(folder, request.Identity.Name) : null;
    private readonly Stack<(string Part, Func<Task> Remove)> _made = new();

    private bool NeedsKey => _identity.KeyRoles().Count > 0;

    private bool NeedsRole => request.Effects || _identity.Kind == IdentityKind.Server;

    /// <summary>The secrets that the identity has.</summary>
    public IEnumerable<IdentitySecret> Secrets =>
        [
            IdentitySecret.RabbitMq,
            // The server makes its own key valid at its start, as the first admin key.
            .. NeedsKey || _identity.Kind == IdentityKind.Server ? [IdentitySecret.ApiKey] : (IdentitySecret[])[],
            .. request.Effects ? [IdentitySecret.Effects]
            : NeedsRole ? [IdentitySecret.Postgres]
            : (IdentitySecret[])[],
        ];

    /// <summary>Makes the identity. Null: it exists as asked, and the request accepts that.</summary>
    public async Task<IReadOnlyDictionary<IdentitySecret, string>?> RunAsync(CancellationToken cancellationToken)
    {
        if (NeedsRole)
        {
            await access.Roles.CheckMigratedAsync(cancellationToken);
        }

        if (await ExistsAsync(cancellationToken))
        {
            return null;
        }

        _folder?.Prepare(Secrets.Select(secret => secret.Name));
        try
        {
            var values = new Dictionary<IdentitySecret, string>();
            await MakeUserAsync(values, cancellationToken);
            await MakeRoleAsync(values, cancellationToken);
            await MakeKeyAsync(values, cancellationToken);
            WriteFiles(values);
            return values;
        }
        catch (OperationCanceledException)
        {
            await UndoAsync();
            throw;
        }
        catch (Exception fault)
        {
            throw Undone(ServerRun.Explained(fault, access.Postgres), await UndoAsync());
        }
    }

    /// <summary>True: all of it exists as asked. Throws when a part exists and that is not fine.</summary>
    private async Task<bool> ExistsAsync(CancellationToken cancellationToken)
    {
        var facts = new IdentityFacts
        {
            Administrator = access.Broker.Administrator,
            Users = await access.Broker.UsersAsync(cancellationToken),
            Permissions = await access.Broker.PermissionsAsync(cancellationToken),
            TopicPermissions = await access.Broker.TopicPermissionsAsync(cancellationToken),
            Connections = [],
        };
        var keys = NeedsKey ? await access.KeysAsync(cancellationToken) : [];
        var roles = keys.Where(key => key.Subject == _identity.Name).SelectMany(key => key.Roles).ToList();
        var hasUser = facts.Users.Any(user => user.Name == _identity.Name);
        var hasRole = NeedsRole && await access.Roles.ExistsAsync(_identity.Name, cancellationToken);
        string[] parts =
        [
            .. hasUser ? ["a broker user"] : (string[])[],
            .. roles.Count > 0 ? [$"a key with the role {string.Join(", ", roles)}"] : (string[])[],
            .. hasRole ? ["a database role"] : (string[])[],
        ];
        if (parts.Length == 0)
        {
            return false;
        }

        var known = facts.Principals().FirstOrDefault(principal => principal.Name == _identity.Name)?.Identity;
        var isWhole =
            known?.IsSameAs(_identity) == true
            && hasRole == NeedsRole
            && roles.Order(StringComparer.Ordinal).SequenceEqual(_identity.KeyRoles().Order(StringComparer.Ordinal))
            && (_folder is null || Secrets.All(secret => File.Exists(_folder.PathOf(secret.Name))));
        return isWhole && request.IfMissing
            ? true
            : throw new ExitException(
                ExitCode.No,
                $"{_identity.Name} exists: {string.Join(", ", parts)}."
                    + (request.IfMissing ? " A part, its rights or a secret file differs from what is asked for." : ""),
                $"Choose another name, or run \"dispatcher identity revoke {_identity.Name}\" and create it again: its programs then need "
                    + "the new secrets."
            );
    }

    private async Task MakeUserAsync(Dictionary<IdentitySecret, string> values, CancellationToken cancellationToken)
    {
        var password = GeneratedSecret.New();
        _made.Push(("broker user", async () => await access.Broker.DeleteUserAsync(_identity.Name, CancellationToken.None)));
        if (
            !await access.Broker.PutUserAsync(
                _identity.Name,
                GeneratedSecret.RabbitMqHash(password),
                _identity.Rights.Tags,
                cancellationToken
            )
        )
        {
            _made.Pop();
            throw new ExitException(
                ExitCode.No,
                $"Another call made the broker user {_identity.Name} at the same moment.",
                $"Run \"dispatcher identity revoke {_identity.Name}\", and create it again with one call."
            );
        }

        await access.Broker.PermitAsync(_identity.Name, _identity.Rights, cancellationToken);
        values.Add(IdentitySecret.RabbitMq, access.AddressOf(_identity.Name, password));
    }

    private async Task MakeRoleAsync(Dictionary<IdentitySecret, string> values, CancellationToken cancellationToken)
    {
        if (!NeedsRole)
        {
            return;
        }

        var password = GeneratedSecret.New();
        // Before the statement: its answer can be lost after the commit.
        _made.Push(("database role", async () => await access.Roles.RemoveAsync(_identity.Name, CancellationToken.None)));
        try
        {
            await (
                request.Effects
                    ? access.Roles.CreateEffectsAsync(_identity.Name, password, _identity.Scope[0], cancellationToken)
                    : access.Roles.CreateServerAsync(_identity.Name, password, cancellationToken)
            );
        }
        catch (PostgresException exists) when (exists.SqlState is PostgresErrorCodes.DuplicateObject or PostgresErrorCodes.UniqueViolation)
        {
            // Another call made it in the meantime.
            _made.Pop();
            throw;
        }

        values.Add(
            request.Effects ? IdentitySecret.Effects : IdentitySecret.Postgres,
            access.Roles.ConnectionOf(_identity.Name, password, request.Effects ? IdentityRoles.EffectSchema(_identity.Scope[0]) : null)
        );
    }

    private async Task MakeKeyAsync(Dictionary<IdentitySecret, string> values, CancellationToken cancellationToken)
    {
        if (_identity.Kind == IdentityKind.Server)
        {
            values.Add(IdentitySecret.ApiKey, GeneratedSecret.New());
        }

        if (NeedsKey)
        {
            var body = JsonSerializer.SerializeToUtf8Bytes(new { subject = _identity.Name, roles = _identity.KeyRoles() });
            _made.Push(("key", async () => await access.RevokeKeysAsync(_identity.Name, CancellationToken.None)));
            var key = (await access.Server.CreateKeyAsync(body, cancellationToken)).BodyOrThrow();
            values.Add(IdentitySecret.ApiKey, key.Text("key"));
        }
    }

    private void WriteFiles(Dictionary<IdentitySecret, string> values)
    {
        foreach (var (secret, value) in _folder is null ? [] : values)
        {
            _folder!.Write(secret.Name, value);
        }
    }

    /// <summary>Removes what this call has made, what gives rights first. Returns what is left.</summary>
    private async Task<IReadOnlyList<string>> UndoAsync()
    {
        var left = new List<string>();
        while (_made.TryPop(out var part))
        {
            try
            {
                await part.Remove();
            }
#pragma warning disable CA1031 // Whatever prevents the removal, the part is left, and the error names it.
            catch (Exception)
#pragma warning restore CA1031
            {
                left.Add(part.Part);
            }
        }

        return [.. left, .. _folder?.RemoveWritten() ?? []];
    }

    private ExitException Undone(ExitException reason, IReadOnlyList<string> left) =>
        left.Count == 0
            ? new ExitException(
                reason.Code,
                $"{_identity.Name} was not created, and nothing of it is left. {reason.Message}",
                reason.Fix,
                reason
            )
            : new ExitException(
                reason.Code,
                $"{_identity.Name} was not created. {reason.Message} Left: {string.Join(", ", left)}, without a usable secret.",
                $"{reason.Fix} Then run \"dispatcher identity revoke {_identity.Name}\", and create it again.",
                reason
            );
}
