using System.CommandLine;
using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.Storage;

namespace Dispatcher.CommandLine.Identities;

/// <summary><c>dispatcher identity create</c>.</summary>
internal static class IdentityCreateVerb
{
    private static readonly Option<string> Kind = KindOption();
    private static readonly Option<string[]> Pools = new("--pool")
    {
        HelpName = "POOL",
        Description = "Pool that a worker serves; may be repeated.",
    };
    private static readonly Option<string[]> Topics = new("--topic")
    {
        HelpName = "PATTERN",
        Description = $"Topics that a producer may publish, as in a rule: {TopicRegex.Words}; may be repeated.",
    };
    private static readonly Option<string[]> Principals = new("--principal")
    {
        HelpName = "NAME",
        Description = "Principal whose events a subscriber may read; may be repeated.",
    };
    private static readonly Option<bool> Effects = new("--effects")
    {
        Description = "Also make a database role that can only read and write the effects of the worker's one pool.",
    };
    private static readonly Option<string?> Secrets = new("--secrets")
    {
        HelpName = "DIR",
        Description =
            "Write the secrets to DIR/NAME/rabbitmq, api-key, postgres and effects, which only this user may read, instead of "
            + "printing them. Each is what DISPATCHER_RABBITMQ_FILE, DISPATCHER_API_KEY_FILE, DISPATCHER_POSTGRES_FILE and "
            + "DISPATCHER_EFFECTS_FILE expect.",
    };
    private static readonly Option<bool> IfMissing = new("--if-missing")
    {
        Description = "Change nothing and succeed when all parts, rights and secret files exist as asked; for a start script that repeats.",
    };

    public static Verb Create(ServerVerbs verbs)
    {
        var name = IdentityParameters.Name();
        var verb = new Verb(
            "create",
            "Make what one principal needs, under one name: a broker user with the rights of its kind; for a producer or worker an API "
                + "key; for a server a database role and the first admin key. Passwords are generated. Exit code 1 when the name exists.",
            "dispatcher identity create worker-shell --kind worker --pool shell",
            "dispatcher identity create billing --kind producer --topic job.exec.shell --topic 'job.repo.*'",
            "dispatcher identity create server --kind server --secrets /run/identities --if-missing"
        )
        {
            name,
            Kind,
            Pools,
            Topics,
            Principals,
            Effects,
            Secrets,
            IfMissing,
            IdentityParameters.RabbitMq,
            IdentityParameters.Postgres,
        };
        return verbs.Add(
            verb,
            (call, cancellationToken) =>
            {
                var request = Read(call.Arguments, call.Arguments.GetRequiredValue(name));
                return IdentityAccess.RunAsync(
                    call,
                    verbs.HasKey(call.Arguments),
                    access => RunAsync(call, access, request, cancellationToken)
                );
            },
            IdentityParameters.Json
        );
    }

    private static Option<string> KindOption()
    {
        var kind = new Option<string>("--kind")
        {
            HelpName = "KIND",
            Required = true,
            Description = $"What its program does: {string.Join(", ", IdentityKinds.All)}. ops/README.md lists the rights of each.",
        };
        kind.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && IdentityKinds.Find(token.Value) is null)
            {
                result.AddError(
                    $"--kind '{InputErrors.Cut(token.Value)}' does not exist; allowed are {string.Join(", ", IdentityKinds.All)}."
                );
            }
        });
        return kind;
    }

    private static IdentityRequest Read(ParseResult call, string name)
    {
        var kind = IdentityKinds.Find(call.GetRequiredValue(Kind))!.Value;
        var given = new (string Scope, string[] Parts)[]
        {
            ("pool", call.GetValue(Pools) ?? []),
            ("topic", call.GetValue(Topics) ?? []),
            ("principal", call.GetValue(Principals) ?? []),
        };
        var identity = new Identity(
            name,
            kind,
            [.. given.Where(list => list.Scope == kind.ScopeName()).SelectMany(list => list.Parts).Distinct(StringComparer.Ordinal)]
        );
        var effects = call.GetValue(Effects);
        string[] mistakes =
        [
            .. identity.Mistakes(),
            .. given
                .Where(list => list.Parts.Length > 0 && list.Scope != kind.ScopeName())
                .Select(list => $"the kind {kind.Name()} has no --{list.Scope}: leave it out"),
            .. effects && (kind != IdentityKind.Worker || identity.Scope is not [{ Length: <= 55 }])
                ? ["--effects needs the kind worker and one --pool of at most 55 characters"]
                : (string[])[],
            .. (effects || kind == IdentityKind.Server) && !Migrator.IsRoleName(name)
                ? [$"the name is also that of a database role: use {Migrator.RoleNameWords}"]
                : (string[])[],
        ];
        return mistakes.Length == 0
            ? new IdentityRequest(identity, effects, call.GetValue(Secrets), call.GetValue(IfMissing))
            : throw new ExitException(
                ExitCode.WrongUse,
                string.Join("; ", mistakes) + ".",
                "Correct the options; \"dispatcher identity create --help\" has examples."
            );
    }

    private static async Task<ExitCode> RunAsync(
        ServerCall call,
        IdentityAccess access,
        IdentityRequest request,
        CancellationToken cancellationToken
    )
    {
        var creation = new IdentityCreation(access, request);
        var values = await creation.RunAsync(cancellationToken);
        var folder = request.Secrets is { } secrets ? new SecretFolder(secrets, request.Identity.Name) : null;
        (IdentitySecret Secret, string Shown)[] shown =
            values is null && folder is null
                ? []
                : [.. creation.Secrets.Select(secret => (secret, folder?.PathOf(secret.Name) ?? values![secret]))];
        if (call.Json)
        {
            call.Screen.Json(Document(request, values is not null, shown, folder is not null));
            return ExitCode.Done;
        }

        call.Screen.Fields([
            ("name", request.Identity.Name),
            ("kind", request.Identity.Kind.Name()),
            ("scope", string.Join(", ", request.Identity.Scope)),
            ("created", values is null ? "no, it exists" : "yes"),
            .. shown.Select(one => (folder is null ? one.Secret.Variable : one.Secret.Variable + "_FILE", one.Shown)),
        ]);
        if (values is not null && folder is null)
        {
            call.Screen.Note("The secrets are shown only now. Store them in a secret store.");
        }

        return ExitCode.Done;
    }

    private static string Document(
        IdentityRequest request,
        bool created,
        IEnumerable<(IdentitySecret Secret, string Shown)> shown,
        bool isFiles
    ) =>
        JsonSerializer.Serialize(
            new
            {
                name = request.Identity.Name,
                kind = request.Identity.Kind.Name(),
                scope = request.Identity.Scope,
                created,
                secrets = isFiles ? null : shown.ToDictionary(one => one.Secret.Variable, one => one.Shown),
                files = isFiles ? shown.ToDictionary(one => one.Secret.Variable + "_FILE", one => one.Shown) : null,
            }
        );
}
