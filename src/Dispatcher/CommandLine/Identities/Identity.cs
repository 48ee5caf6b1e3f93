using Dispatcher.Base;

namespace Dispatcher.CommandLine.Identities;

/// <summary>One principal: one broker user, one subject of keys and one database role, all with the same name.</summary>
/// <param name="Name">1 to 64 characters of <c>a-z</c>, <c>0-9</c>, <c>_</c> and <c>-</c>.</param>
/// <param name="Kind">Determines its rights.</param>
/// <param name="Scope">Its topic patterns, pools or principals, by kind; else empty.</param>
internal sealed record Identity(string Name, IdentityKind Kind, IReadOnlyList<string> Scope)
{
    /// <summary>Its rights on the broker.</summary>
    public BrokerRights Rights =>
        BrokerRights.Of(Kind, Name, OneOf([.. Scope.Select(part => Kind.ScopeName() == "topic" ? TopicRegex.Of(part) : part)]));

    /// <summary>Every mistake of an identity that is to be made, each with its fix.</summary>
    public IEnumerable<string> Mistakes()
    {
        if (!PrincipalName.IsValid(Name))
        {
            yield return $"the name '{InputErrors.Cut(Name)}' is not allowed: use 1 to 64 characters of a-z, 0-9, _ and -";
        }

        var scope = Kind.ScopeName();
        if (scope is null && Scope.Count > 0)
        {
            yield return $"the kind {Kind.Name()} has no --topic, --pool or --principal: leave it out";
        }

        if (scope is not null && Scope.Count == 0)
        {
            yield return $"the kind {Kind.Name()} needs --{scope}: give at least one";
        }

        foreach (var part in scope is null ? [] : Scope)
        {
            if (scope == "topic" ? !TopicRegex.IsPattern(part) : !PrincipalName.IsValid(part))
            {
                var words = scope == "topic" ? TopicRegex.Words : "1 to 64 characters of a-z, 0-9, _ and -";
                yield return $"--{scope} '{InputErrors.Cut(part)}' is not allowed: use {words}";
            }
        }
    }

    /// <summary>The identity whose rights these are exactly. Null: no identity has these rights.</summary>
    public static Identity? WithRights(string name, BrokerRights rights) =>
        Enum.GetValues<IdentityKind>()
            .Select(kind => new Identity(name, kind, ScopeOf(name, kind, rights)))
            .FirstOrDefault(identity => !identity.Mistakes().Any() && identity.Rights == rights);

    /// <summary>Same name, kind and scope, in any order.</summary>
    public bool IsSameAs(Identity other) =>
        Name == other.Name
        && Kind == other.Kind
        && Scope.Order(StringComparer.Ordinal).SequenceEqual(other.Scope.Order(StringComparer.Ordinal), StringComparer.Ordinal);

    /// <summary>Reads the scope from the one expression that contains it.</summary>
    private static IReadOnlyList<string> ScopeOf(string name, IdentityKind kind, BrokerRights rights)
    {
        const string mark = "\0";
        if (kind.ScopeName() is not { } scope)
        {
            return [];
        }

        var model = BrokerRights.Of(kind, name, mark);
        var (form, seen) = (new[] { model.Read, model.Topics?.Write ?? "", model.Topics?.Read ?? "" })
            .Zip([rights.Read, rights.Topics?.Write ?? "", rights.Topics?.Read ?? ""])
            .Single(pair => pair.First.Contains(mark, StringComparison.Ordinal));
        var (before, after) = (
            form[..form.IndexOf(mark, StringComparison.Ordinal)],
            form[(form.IndexOf(mark, StringComparison.Ordinal) + 1)..]
        );
        if (
            seen.Length < before.Length + after.Length
            || !seen.StartsWith(before, StringComparison.Ordinal)
            || !seen.EndsWith(after, StringComparison.Ordinal)
        )
        {
            return [];
        }

        var parts = seen[before.Length..^after.Length];
        var list = parts.StartsWith('(') && parts.EndsWith(')') ? parts[1..^1].Split('|') : [parts];
        return [.. list.Select(part => scope == "topic" ? TopicRegex.ToPattern(part) : part)];
    }

    private static string OneOf(IReadOnlyList<string> expressions) =>
        expressions.Count == 1 ? expressions[0] : $"({string.Join('|', expressions)})";
}
