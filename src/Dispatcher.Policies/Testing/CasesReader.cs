using Dispatcher.Policies.Files;
using Dispatcher.Policies.Loading;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Testing;

/// <summary>Reads the files <c>cases/*.yaml</c>.</summary>
internal sealed class CasesReader(ErrorList errors)
{
    private readonly List<PolicyCase> _cases = [];
    private readonly Dictionary<string, string> _places = new(StringComparer.Ordinal);

    /// <summary>All cases of a folder, in the order of the files.</summary>
    public static IReadOnlyList<PolicyCase> ReadAll(IReadOnlyList<BundleFile> files, ErrorList errors)
    {
        CasesReader reader = new(errors);
        foreach (var file in files.Where(file => BundlePaths.IsCase(file.Path)).OrderBy(file => file.Path, StringComparer.Ordinal))
        {
            reader.Read(file);
        }

        return reader._cases;
    }

    private void Read(BundleFile file)
    {
        if (
            YamlReader.Read(file, errors).Root is not { } root
            || Fields.Of(root, "a cases file", errors, "version", "cases") is not { } fields
        )
        {
            return;
        }

        fields.NeedText("version", Patterns.Version(), Patterns.VersionWords);
        foreach (var node in Lists.Items(fields.Need("cases"), "cases", errors))
        {
            ReadCase(node);
        }
    }

    private void ReadCase(YamlNode node)
    {
        if (Fields.Of(node, "a case", errors, "name", "job", "at", "expect") is not { } fields)
        {
            return;
        }

        var name = ReadName(fields);
        var job = fields.Need("job") is { } facts ? ReadJob(facts) : null;
        var expect = fields.Need("expect") is { } expected ? ReadExpectation(expected) : null;
        var at = fields.Get("at") is { } time ? Scalars.Time(time, "at", errors) : null;
        if (name is not null && job is not null && expect is not null)
        {
            _cases.Add(
                new PolicyCase
                {
                    Name = name,
                    Where = node.Where,
                    Job = job,
                    At = at,
                    Expect = expect,
                }
            );
        }
    }

    private string? ReadName(Fields fields)
    {
        if (fields.Need("name") is not { } node || Scalars.Text(node, "name", errors) is not { } name)
        {
            return null;
        }

        if (!_places.TryAdd(name, node.Where))
        {
            errors.Add(
                node,
                BundleErrorCodes.DuplicateId,
                $"case '{name}' is already at {_places[name]}; allowed: each name once.",
                "rename one of the cases."
            );
        }

        return name;
    }

    private JobFacts? ReadJob(YamlNode node)
    {
        if (
            Fields.Of(node, "a job", errors, "topic", "principal", "labels", "risk_tags", "payload", "workflow_id", "attempt")
            is not { } fields
        )
        {
            return null;
        }

        return new JobFacts
        {
            Topic = fields.NeedText("topic", Patterns.Topic(), Patterns.TopicWords) ?? "",
            Principal = fields.NeedText("principal", Patterns.Name(), Patterns.NameWords) ?? "",
            Labels = Fields
                .Named(fields.Get("labels"), "labels", errors)
                .ToDictionary(
                    label => label.Key.Text,
                    label => Scalars.Text(label.Value, $"label {label.Key.Text}", errors) ?? "",
                    StringComparer.Ordinal
                ),
            RiskTags = fields.Set("risk_tags") ?? [],
            Payload = fields.Get("payload") is { } payload ? YamlJson.Write(payload, errors) : "{}"u8.ToArray(),
            WorkflowId = fields.Text("workflow_id"),
            Attempt = (int)((fields.Get("attempt") is { } attempt ? Scalars.Number(attempt, "attempt", 1, 100, errors) : null) ?? 1),
        };
    }

    private Expectation? ReadExpectation(YamlNode node)
    {
        if (Fields.Of(node, "expect", errors, "verdict", "rules", "reason", "constraints", "approval") is not { } fields)
        {
            return null;
        }

        var verdict = fields.Need("verdict") is { } decision ? VerdictReader.Read(decision, "verdict", errors) : null;
        return verdict is null
            ? null
            : new Expectation
            {
                Verdict = verdict.Value,
                Rules = fields.Set("rules"),
                Reason = fields.Text("reason"),
                Constraints = fields.Get("constraints") is { } constraints ? ConstraintReader.ReadAny(constraints, errors) : null,
                Approval = fields.Get("approval") is { } approval ? ApprovalReader.Read(approval, errors) : null,
            };
    }
}
