using Dispatcher.CommandLine.Identities;

namespace Dispatcher.UnitTests.CommandLine.Identities;

public sealed class BrokerRightsTests
{
    public static TheoryData<string> Kinds => [.. IdentityKinds.All];

    /// <summary>The table is generated from the code, so that both cannot differ.</summary>
    [Fact]
    public void Page_of_operators_has_the_table_of_rights()
    {
        var page = File.ReadAllText(Path.Combine(Repository.Root, "ops", "README.md"));

        Assert.True(
            page.Contains(Table(), StringComparison.Ordinal),
            $"The table under \"Broker users\" of ops/README.md differs from BrokerRights. It must be:\n{Table()}"
        );
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Identity_is_derived_from_its_rights(string kind)
    {
        foreach (var scope in Scopes(IdentityKinds.Find(kind)!.Value))
        {
            var identity = new Identity("some-program_1", IdentityKinds.Find(kind)!.Value, scope);

            var derived = Identity.WithRights("some-program_1", identity.Rights);

            Assert.True(derived?.IsSameAs(identity), $"{identity.Rights} gave {derived}");
            Assert.Null(Identity.WithRights("another", identity.Rights with { Configure = ".*" }));
        }
    }

    [Fact]
    public void Rights_that_are_wider_in_any_part_belong_to_no_kind()
    {
        var rights = new Identity("billing", IdentityKind.Producer, ["job.exec.shell"]).Rights;
        BrokerRights[] wider =
        [
            rights with
            {
                Write = ".*",
            },
            rights with
            {
                Read = ".*",
            },
            rights with
            {
                Configure = ".*",
            },
            rights with
            {
                Tags = "administrator",
            },
            rights with
            {
                Topics = null,
            },
            rights with
            {
                Topics = rights.Topics! with { Write = ".*" },
            },
            rights with
            {
                Topics = rights.Topics! with { Write = @"^job\.exec\..*\z" },
            },
            rights with
            {
                Topics = rights.Topics! with { Read = ".*" },
            },
            rights with
            {
                Topics = rights.Topics! with { Exchange = "dispatcher.events" },
            },
        ];

        Assert.NotNull(Identity.WithRights("billing", rights));
        Assert.All(wider, changed => Assert.Null(Identity.WithRights("billing", changed)));
    }

    [Fact]
    public void Rights_of_one_name_belong_to_no_other()
    {
        var rights = new Identity("billing", IdentityKind.Producer, ["job.exec.shell"]).Rights;

        Assert.Null(Identity.WithRights("shipping", rights));
    }

    private static IEnumerable<string[]> Scopes(IdentityKind kind) =>
        kind.ScopeName() switch
        {
            "topic" =>
            [
                ["job.exec.shell"],
                ["job.exec.shell", "job.repo.*"],
                ["job.**"],
                ["job.*.x", "a.b.**", "a-b.c_d"],
            ],
            null =>
            [
                [],
            ],
            _ =>
            [
                ["shell"],
                ["shell", "repo-2", "a_b"],
            ],
        };

    private static string Table() =>
        string.Join(
            '\n',
            [
                "| kind | configure | write | read | topic exchange | topic write | topic read |",
                "|---|---|---|---|---|---|---|",
                .. IdentityKinds.All.Select(name => Row(IdentityKinds.Find(name)!.Value)),
                "",
            ]
        );

    private static string Row(IdentityKind kind)
    {
        var scope = kind.ScopeName() is { } part ? $"<{part}>" : "";
        var rights = BrokerRights.Of(kind, "<name>", scope);
        string[] cells =
        [
            rights.Configure,
            rights.Write,
            rights.Read,
            rights.Topics?.Exchange ?? "",
            rights.Topics?.Write ?? "",
            rights.Topics?.Read ?? "",
        ];
        return $"| `{kind.Name()}`{(rights.Tags.Length > 0 ? $" (tag `{rights.Tags}`)" : "")} | "
            + string.Join(" | ", cells.Select(cell => cell.Length == 0 ? "" : $"`{cell.Replace("|", "\\|", StringComparison.Ordinal)}`"))
            + " |";
    }
}
