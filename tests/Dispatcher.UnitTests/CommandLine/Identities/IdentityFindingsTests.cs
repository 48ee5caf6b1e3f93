using Dispatcher.CommandLine.Identities;

namespace Dispatcher.UnitTests.CommandLine.Identities;

public sealed class IdentityFindingsTests
{
    private static readonly Identity Billing = new("billing", IdentityKind.Producer, ["job.exec.shell"]);
    private static readonly Identity Shell = new("worker-shell", IdentityKind.Worker, ["shell"]);
    private static readonly Identity Server = new("server", IdentityKind.Server, []);

    [Fact]
    public void Identities_in_use_with_exactly_their_rights_have_no_finding() => Assert.Empty(Codes(Good()));

    [Fact]
    public void Guest_is_found_and_its_fix_depends_on_the_administrator()
    {
        var facts = Good() with { Users = [.. Good().Users, new("guest", "administrator")] };

        var finding = Assert.Single(IdentityFindings.Of(facts));
        var own = Assert.Single(IdentityFindings.Of(facts with { Administrator = "guest" }));

        Assert.Equal(("guest", "dispatcher identity revoke guest"), (finding.Code, finding.Fix));
        Assert.Contains("make another administrator", own.Fix, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(".*", "default_exchange", "every_topic")]
    [InlineData(@"^amq\.default$", "default_exchange")]
    [InlineData(@"^dispatcher\..*$", "every_topic")]
    [InlineData("^dispatcher.outcomes$", "other_rights")]
    [InlineData("(", "default_exchange", "every_topic")]
    public void Rights_beyond_need_are_found(string write, params string[] codes)
    {
        var facts = With("tool", "", new("tool", "^$", write, "^$"));

        Assert.Equal(codes, Codes(facts));
        Assert.All(
            IdentityFindings.Of(facts),
            finding => Assert.StartsWith("dispatcher identity revoke tool", finding.Fix, StringComparison.Ordinal)
        );
    }

    [Fact]
    public void Producer_without_topic_permission_is_found()
    {
        var facts = Good() with { TopicPermissions = [] };

        Assert.Equal(["every_topic"], Codes(facts));
    }

    [Fact]
    public void Producer_with_further_topic_rights_is_found()
    {
        var facts = Good();

        Assert.Equal(
            ["other_rights"],
            Codes(
                facts with
                {
                    TopicPermissions = [.. facts.TopicPermissions, new("billing", new TopicRights("dispatcher.events", ".*", ".*"))],
                }
            )
        );
    }

    [Theory]
    [InlineData("administrator")]
    [InlineData("monitoring,management")]
    [InlineData("policymaker")]
    public void Management_tag_on_an_identity_is_found(string tags)
    {
        var facts = Good();

        var finding = Assert.Single(
            IdentityFindings.Of(
                facts with
                {
                    Users = [.. facts.Users.Select(user => user.Name == "worker-shell" ? user with { Tags = tags } : user)],
                }
            )
        );

        Assert.Equal(("tags", "rabbitmqctl set_user_tags worker-shell"), (finding.Code, finding.Fix));
    }

    [Fact]
    public void Administrator_that_is_no_principal_is_trusted() =>
        Assert.Empty(Codes(With("ops", "administrator", new("ops", ".*", ".*", ".*"))));

    [Fact]
    public void Unused_identity_is_found_unless_the_server_knows_work_of_it()
    {
        var facts = Good() with { Connections = [] };

        Assert.Equal(["server"], IdentityFindings.Of(facts).Select(finding => finding.Name));
        Assert.Equal(
            ["billing", "server", "worker-shell"],
            IdentityFindings
                .Of(facts with { Server = facts.Server! with { Workers = [], Submitters = new HashSet<string>() } })
                .Select(finding => finding.Code == "unused" ? finding.Name : finding.Code)
        );
    }

    [Fact]
    public void Worker_instances_with_one_key_are_found_as_the_server_flags_them()
    {
        var facts = Good();

        var finding = Assert.Single(
            IdentityFindings.Of(
                facts with
                {
                    Server = facts.Server! with { Workers = [new("worker-shell", "shell", SharesCredential: true)] },
                }
            )
        );

        Assert.Equal("shared", finding.Code);
        Assert.Contains("--kind worker --pool shell", finding.Fix, StringComparison.Ordinal);
    }

    [Fact]
    public void Programs_that_share_a_broker_user_are_found()
    {
        var facts = Good();
        BrokerConnection[] more =
        [
            new("billing", "10.0.0.9", "pika", "x"),
            new("server", "10.0.0.3", "RabbitMQ", "host/1/a"),
            new("worker-shell", "10.0.0.4", "pika", ""),
        ];

        foreach (var one in more)
        {
            var finding = Assert.Single(IdentityFindings.Of(facts with { Connections = [.. facts.Connections, one] }));
            Assert.Equal(("shared", one.User), (finding.Code, finding.Name));
        }
    }

    [Fact]
    public void Servers_and_workers_may_run_on_several_machines()
    {
        var facts = Good();

        Assert.Empty(
            Codes(
                facts with
                {
                    Connections =
                    [
                        .. facts.Connections,
                        new("server", "10.0.0.8", "RabbitMQ", "dispatcher topology"),
                        new("worker-shell", "10.0.0.8", "RabbitMQ", "host/2/b"),
                    ],
                }
            )
        );
    }

    [Fact]
    public void Identity_without_a_part_is_found()
    {
        var facts = Good();

        Assert.Equal(["incomplete"], Codes(facts with { Server = facts.Server! with { Keys = [facts.Server.Keys[0]] } }));
        Assert.Equal(
            ["incomplete"],
            Codes(facts with { Server = facts.Server with { Keys = [.. facts.Server.Keys, new("k9", "gone", "", ["worker:repo"])] } })
        );
    }

    [Fact]
    public void Missing_owner_is_only_a_hint()
    {
        var facts = Good();

        var finding = Assert.Single(
            IdentityFindings.Of(
                facts with
                {
                    Server = facts.Server! with { Keys = [.. facts.Server.Keys.Select(key => key with { Person = "" })] },
                }
            )
        );

        Assert.Equal(("no_owner", true), (finding.Code, finding.IsHint));
        Assert.Equal("dispatcher keys bind --subject billing --person NAME", finding.Fix);
    }

    [Theory]
    [InlineData("server", true, "DELETE on timeline", "dispatcher migrate --serve-role server")]
    [InlineData("server", true, "createdb", "psql -c 'alter role \"server\" nosuperuser nocreatedb")]
    [InlineData("server", true, RoleRights.Ownership, "dispatcher identity create server-2 --kind server")]
    [InlineData("reports", true, "UPDATE on jobs", "dispatcher migrate --serve-role reports")]
    [InlineData("worker-shell", true, null, "dispatcher identity revoke worker-shell")]
    public void Database_role_with_too_many_rights_is_found(string name, bool serves, string? excess, string fix)
    {
        var role = new DatabaseRole(name, true, serves, excess is null ? [] : [excess]);

        var finding = Assert.Single(IdentityFindings.Of(Good() with { Roles = [role] }));

        Assert.Equal(("database_rights", name), (finding.Code, finding.Name));
        Assert.StartsWith(fix, finding.Fix, StringComparison.Ordinal);
    }

    private static IEnumerable<string> Codes(IdentityFacts facts) => IdentityFindings.Of(facts).Select(finding => finding.Code);

    /// <summary>Three identities in use, and an administrator.</summary>
    private static IdentityFacts Good()
    {
        Identity[] all = [Billing, Shell, Server];
        return new IdentityFacts
        {
            Administrator = "root",
            Users = [new("root", "administrator"), .. all.Select(identity => new BrokerUser(identity.Name, identity.Rights.Tags))],
            Permissions =
            [
                new("root", ".*", ".*", ".*"),
                .. all.Select(one => new BrokerPermission(one.Name, one.Rights.Configure, one.Rights.Write, one.Rights.Read)),
            ],
            TopicPermissions = [new("billing", Billing.Rights.Topics!)],
            Connections =
            [
                new("billing", "10.0.0.2", "pika", ""),
                new("worker-shell", "10.0.0.3", "RabbitMQ", "host/1/a"),
                new("server", "10.0.0.1", "RabbitMQ", "dispatcher"),
                new("server", "10.0.0.1", "MassTransit", "dispatcher work"),
            ],
            Server = new ServerFacts(
                [new("k1", "billing", "bea", ["producer"]), new("k2", "worker-shell", "", ["worker:shell"])],
                [new("worker-shell", "shell", SharesCredential: false)],
                new HashSet<string> { "billing" }
            ),
            Roles = [new DatabaseRole("server", true, true, [])],
        };
    }

    private static IdentityFacts With(string user, string tags, BrokerPermission permission) =>
        Good() with
        {
            Users = [.. Good().Users, new(user, tags)],
            Permissions = [.. Good().Permissions, permission],
        };
}
