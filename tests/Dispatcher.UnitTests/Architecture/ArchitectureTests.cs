using System.Text.RegularExpressions;
using System.Xml.Linq;
using Microsoft.Extensions.Options;

namespace Dispatcher.UnitTests.Architecture;

/// <summary>The rules of the house that a compiler does not know. Each failure says which rule, why, and what broke it.</summary>
public sealed partial class ArchitectureTests
{
    private const int LongFile = 300;
    private const int LongestFile = 400;

    /// <summary>Who may reference whom. Contracts stand alone, since they are what others in other languages rebuild.</summary>
    private static readonly Dictionary<string, string[]> AllowedArrows = new()
    {
        ["Dispatcher.Contracts"] = [],
        ["Dispatcher.Policies"] = ["Dispatcher.Contracts"],
        ["Dispatcher.Persistence"] = [],
        ["Dispatcher.Worker"] = ["Dispatcher.Contracts"],
        ["Dispatcher.ReferenceWorker"] = ["Dispatcher.Contracts", "Dispatcher.Worker"],
        ["Dispatcher"] =
        [
            "Dispatcher.Contracts",
            "Dispatcher.Policies",
            "Dispatcher.Persistence",
            "Dispatcher.Worker",
            "Dispatcher.ReferenceWorker",
        ],
    };

    /// <summary>Files over 300 lines, each with its reason. Empty is best.</summary>
    private static readonly Dictionary<string, string> LongFiles = [];

    [Fact]
    public void Projects_reference_only_what_they_may()
    {
        var arrows =
            from file in Directory.EnumerateFiles(Path.Combine(Repository.Root, "src"), "*.csproj", SearchOption.AllDirectories)
            from reference in XDocument.Load(file).Descendants("ProjectReference")
            let to = Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value.Replace('\\', '/'))
            select (From: Path.GetFileNameWithoutExtension(file), To: to);

        Holds(
            "A project references only what AllowedArrows lists",
            "a boundary that is crossed once is none; contracts and worker are versioned apart from the server",
            arrows
                .Where(arrow => !AllowedArrows.TryGetValue(arrow.From, out var allowed) || !allowed.Contains(arrow.To))
                .Select(arrow => $"{arrow.From} -> {arrow.To}")
        );
    }

    [Fact]
    public void Every_project_has_its_arrows_written_down() =>
        Holds(
            "AllowedArrows lists every project below src",
            "a project that nobody placed has no boundary",
            Directory
                .EnumerateFiles(Path.Combine(Repository.Root, "src"), "*.csproj", SearchOption.AllDirectories)
                .Select(file => Path.GetFileNameWithoutExtension(file))
                .Where(name => !AllowedArrows.ContainsKey(name))
        );

    [Fact]
    public void The_contracts_need_no_package() =>
        Holds(
            "Dispatcher.Contracts references no package",
            "whoever takes the contracts must not be handed our choices",
            XDocument
                .Load(Path.Combine(Repository.Root, "src", "Dispatcher.Contracts", "Dispatcher.Contracts.csproj"))
                .Descendants("PackageReference")
                .Select(package => package.Attribute("Include")!.Value)
        );

    [Theory]
    [InlineData(
        "Dispatcher.Policies",
        "MassTransit|EntityFrameworkCore|TimeProvider|RabbitMQ",
        "policies are pure: the same input gives the same decision, anywhere"
    )]
    [InlineData("Dispatcher.Worker", "MassTransit|EntityFrameworkCore", "a worker's author must not inherit the server's dependencies")]
    [InlineData(
        "Dispatcher.ReferenceWorker",
        "MassTransit|EntityFrameworkCore|RabbitMQ.Client",
        "handlers know their work, not how it came"
    )]
    public void A_project_stays_clear_of(string project, string words, string why) =>
        Holds(
            $"Sources of {project} do not use {words}",
            why,
            Repository
                .SourceFiles($"src/{project}")
                .Where(file => Regex.IsMatch(file.Text, $@"^(?!\s*///).*\b({words})\b", RegexOptions.Multiline))
                .Select(file => file.Path)
        );

    [Fact]
    public void Serilog_appears_only_where_the_host_is_built() =>
        Holds(
            "Only src/Dispatcher/Hosting names Serilog",
            "everything else logs through ILogger, so that the sink can change in one place",
            Repository
                .SourceFiles("src")
                .Where(file =>
                    file.Text.Contains("using Serilog", StringComparison.Ordinal)
                    && !file.Path.StartsWith("src/Dispatcher/Hosting/", StringComparison.Ordinal)
                )
                .Select(file => file.Path)
        );

    [Fact]
    public void No_file_is_longer_than_a_sitting()
    {
        var files = Repository
            .SourceFiles("src")
            .Concat(Repository.SourceFiles("tests"))
            .Select(file => (file.Path, Lines: file.Text.Count(c => c == '\n')))
            .ToList();

        Holds(
            $"No file has more than {LongestFile} lines",
            "what does not fit into a head is two things",
            files.Where(file => file.Lines > LongestFile).Select(file => $"{file.Path} ({file.Lines})")
        );
        Holds(
            $"A file of more than {LongFile} lines is in LongFiles with its reason, and nothing else is",
            "length must be a choice",
            files.Where(file => file.Lines > LongFile != LongFiles.ContainsKey(file.Path)).Select(file => $"{file.Path} ({file.Lines})")
        );
    }

    [Fact]
    public void An_interface_has_two_implementations() =>
        Holds(
            "An interface of ours has at least two implementations that ship",
            "one with a single implementation is a second place to change, made for mocking",
            from contract in Shipped.Types
            where contract.IsInterface
            let count = Shipped.Types.Count(type => type.IsClass && !type.IsAbstract && contract.IsAssignableFrom(type))
            where count < 2
            select $"{contract} ({count})"
        );

    [Fact]
    public void No_type_is_named_Dispatcher() =>
        Holds(
            "No type is named Dispatcher",
            "it would hide the root namespace",
            Shipped.Types.Where(type => type.Name == "Dispatcher").Select(type => type.FullName!)
        );

    [Fact]
    public void No_type_shares_its_name_with_a_namespace()
    {
        var namespaces = Shipped.Types.Select(type => type.Namespace).ToHashSet();

        Holds(
            "No type has the full name of a namespace",
            "one of the two could not be reached by its name",
            Shipped.Types.Where(type => namespaces.Contains(type.FullName)).Select(type => type.FullName!)
        );
    }

    [Fact]
    public void Names_say_what_a_type_is()
    {
        string[] empty = ["Manager", "Helper", "Helpers", "Util", "Utils", "Processor", "Info", "Common", "Impl", "Base"];

        Holds(
            $"No type's name ends in {string.Join(", ", empty)}",
            "such a word fits everything and so says nothing",
            Shipped
                .Types.Where(type => empty.Any(word => type.Name.EndsWith(word, StringComparison.Ordinal)))
                .Select(type => type.FullName!)
        );
    }

    [Fact]
    public void Only_the_gate_makes_judged_jobs() =>
        Holds(
            "Only PolicyGate.cs derives from Evaluated",
            "intake and dispatch take a Evaluated<Job>: a second way to make one would be a way around the policy",
            Repository
                .SourceFiles("src")
                .Where(file =>
                    EvaluatedMade().IsMatch(file.Text) && !file.Path.EndsWith("/Enforcement/PolicyGate.cs", StringComparison.Ordinal)
                )
                .Select(file => file.Path)
        );

    [Fact]
    public void What_writes_decided_jobs_takes_only_judged_ones()
    {
        var takers = new[]
        {
            typeof(Dispatcher.Intake.JobIntake).GetMethod("AcceptAsync")!,
            typeof(Dispatcher.Dispatching.JobDispatch).GetMethod("DispatchAsync")!,
        };

        Holds(
            "JobIntake.AcceptAsync and JobDispatch.DispatchAsync take Evaluated<Job>",
            "else a job could be stored or dispatched that the policy was never asked about",
            takers
                .Where(method => method.GetParameters()[0].ParameterType != typeof(Dispatcher.Enforcement.Evaluated<Dispatcher.Jobs.Job>))
                .Select(method => method.ToString()!)
        );
    }

    [Fact]
    public void Only_the_command_line_writes_to_the_console() =>
        Holds(
            "Only CommandLine and Hosting, and the reference worker's program, use Console",
            "output of commands must stay clean, and a library has no screen",
            Repository
                .SourceFiles("src")
                .Where(file =>
                    ConsoleUsed().IsMatch(file.Text)
                    && !file.Path.Contains("/CommandLine/", StringComparison.Ordinal)
                    && !file.Path.Contains("/Hosting/", StringComparison.Ordinal)
                    && file.Path != "src/Dispatcher.ReferenceWorker/Program.cs"
                )
                .Select(file => file.Path)
        );

    [Fact]
    public void Options_are_checked_at_start() =>
        Holds(
            "Every options class has an IValidateOptions",
            "a wrong setting must stop the start and say so, not fail in the night",
            OptionsClasses
                .All()
                .Where(options => !Shipped.Types.Any(type => typeof(IValidateOptions<>).MakeGenericType(options).IsAssignableFrom(type)))
                .Select(options => options.FullName!)
        );

    [Fact]
    public void Options_are_sealed() =>
        Holds(
            "Every options class is sealed",
            "a derived one would not be bound or validated",
            OptionsClasses.All().Where(options => !options.IsSealed).Select(options => options.FullName!)
        );

    [Fact]
    public void Anchored_patterns_end_at_the_end() =>
        Holds(
            "A pattern that checks a whole text ends in \\z, not in $",
            "$ also fits before a line break at the end, so that \"admin\\n\" would pass for \"admin\"",
            Repository.SourceFiles("src").Where(file => DollarEnd().IsMatch(file.Text)).Select(file => file.Path)
        );

    private static void Holds(string rule, string why, IEnumerable<string> broken)
    {
        var list = broken.ToList();
        Assert.True(list.Count == 0, $"Rule: {rule}. Why: {why}. Broken by: {string.Join("; ", list)}");
    }

    [GeneratedRegex(@":\s*Evaluated<")]
    private static partial Regex EvaluatedMade();

    [GeneratedRegex(@"\bConsole\.(Out|Error|Write|In\b|Read)")]
    private static partial Regex ConsoleUsed();

    [GeneratedRegex("""Regex\(\s*@?"[^"\n]*\$"[,)]""")]
    private static partial Regex DollarEnd();
}
