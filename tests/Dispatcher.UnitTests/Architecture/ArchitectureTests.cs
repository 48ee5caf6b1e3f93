using System.Text.RegularExpressions;
using System.Xml.Linq;
using Dispatcher.Dispatching;
using Dispatcher.Enforcement;
using Dispatcher.Intake;
using Dispatcher.Jobs;
using Microsoft.Extensions.Options;

namespace Dispatcher.UnitTests.Architecture;

/// <summary>Rules of the code that a compiler does not check. A failure names the rule, its reason and the code that breaks it.</summary>
public sealed partial class ArchitectureTests
{
    private const int LongFile = 300;
    private const int MaxLines = 400;

    /// <summary>Files of more than 300 lines, each with its reason.</summary>
    private static readonly Dictionary<string, string> LongFiles = [];

    [Fact]
    public void Contracts_reference_no_package() =>
        Holds(
            "Dispatcher.Contracts references no package",
            "a program that takes the contracts must not get our dependencies",
            XDocument
                .Load(Path.Combine(Repository.Root, "src", "Dispatcher.Contracts", "Dispatcher.Contracts.csproj"))
                .Descendants("PackageReference")
                .Select(package => package.Attribute("Include")!.Value)
        );

    [Theory]
    [InlineData(
        "Dispatcher.Policies",
        "MassTransit|EntityFrameworkCore|TimeProvider|RabbitMQ",
        "an evaluation is pure: the same input gives the same decision"
    )]
    [InlineData("Dispatcher.Worker", "MassTransit|EntityFrameworkCore", "a worker must not get the dependencies of the server")]
    [InlineData(
        "Dispatcher.ReferenceWorker",
        "MassTransit|EntityFrameworkCore|RabbitMQ.Client",
        "a handler must not depend on the transport"
    )]
    public void Project_does_not_use_forbidden_words(string project, string words, string why) =>
        Holds(
            $"Sources of {project} do not use {words}",
            why,
            Repository
                .SourceFiles($"src/{project}")
                .Where(file => Regex.IsMatch(file.Text, $@"^(?!\s*///).*\b({words})\b", RegexOptions.Multiline))
                .Select(file => file.Path)
        );

    [Fact]
    public void Only_the_setup_of_the_log_uses_Serilog() =>
        Holds(
            "Only src/Dispatcher/Hosting and src/Dispatcher.ReferenceWorker/Logs name Serilog",
            "other code logs through ILogger, so that the sink can change in one place",
            Repository
                .SourceFiles("src")
                .Where(file =>
                    file.Text.Contains("using Serilog", StringComparison.Ordinal)
                    && !file.Path.StartsWith("src/Dispatcher/Hosting/", StringComparison.Ordinal)
                    && !file.Path.StartsWith("src/Dispatcher.ReferenceWorker/Logs/", StringComparison.Ordinal)
                )
                .Select(file => file.Path)
        );

    [Fact]
    public void Files_have_at_most_300_lines_or_a_reason()
    {
        var files = Repository
            .SourceFiles("src")
            .Concat(Repository.SourceFiles("tests"))
            .Select(file => (file.Path, Lines: file.Text.Count(c => c == '\n')))
            .ToList();

        Holds(
            $"No file has more than {MaxLines} lines",
            "a longer file has more than one subject",
            files.Where(file => file.Lines > MaxLines).Select(file => $"{file.Path} ({file.Lines})")
        );
        Holds(
            $"A file of more than {LongFile} lines is in LongFiles with its reason, and nothing else is",
            "a long file needs a reason",
            files.Where(file => file.Lines > LongFile != LongFiles.ContainsKey(file.Path)).Select(file => $"{file.Path} ({file.Lines})")
        );
    }

    [Fact]
    public void Interface_has_two_implementations() =>
        Holds(
            "An interface has at least two implementations in src",
            "an interface with one implementation only adds a second place to change",
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
            "code could not name one of the two",
            Shipped.Types.Where(type => namespaces.Contains(type.FullName)).Select(type => type.FullName!)
        );
    }

    [Fact]
    public void No_type_name_ends_in_a_vague_word()
    {
        string[] vague = ["Manager", "Helper", "Helpers", "Util", "Utils", "Processor", "Info", "Common", "Impl", "Base"];

        Holds(
            $"No type's name ends in {string.Join(", ", vague)}",
            "such a word fits every type",
            Shipped
                .Types.Where(type => vague.Any(word => type.Name.EndsWith(word, StringComparison.Ordinal)))
                .Select(type => type.FullName!)
        );
    }

    [Fact]
    public void Only_the_policy_gate_makes_evaluated_jobs()
    {
        var kinds = typeof(Evaluated<>)
            .Assembly.GetTypes()
            .Where(type => type.BaseType is { IsGenericType: true } parent && parent.GetGenericTypeDefinition() == typeof(Evaluated<>))
            .ToList();

        Assert.NotEmpty(kinds);
        Assert.True(typeof(Evaluated<>).IsAbstract);
        Holds(
            "Every class derived from Evaluated is private to PolicyGate.cs",
            "a second way to make one would be a way around the policy",
            // The compiler puts the file of a file-local type into its name.
            kinds.Where(type => !type.Name.StartsWith("<PolicyGate>F", StringComparison.Ordinal)).Select(type => type.FullName!)
        );
    }

    [Fact]
    public void Intake_and_dispatch_take_only_evaluated_jobs()
    {
        var methods = new[] { typeof(JobIntake).GetMethod("AcceptAsync")!, typeof(JobDispatch).GetMethod("DispatchAsync")! };

        Holds(
            "JobIntake.AcceptAsync and JobDispatch.DispatchAsync take Evaluated<Job>",
            "otherwise a job could be stored or dispatched without a decision",
            methods.Where(method => method.GetParameters()[0].ParameterType != typeof(Evaluated<Job>)).Select(method => method.ToString()!)
        );
    }

    [Fact]
    public void Only_the_command_line_uses_the_console() =>
        Holds(
            "Only CommandLine and Hosting, and the reference worker's program, use Console",
            "other output would mix with the output of a command",
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
    public void Options_are_validated_at_start() =>
        Holds(
            "Every options class has an IValidateOptions",
            "a wrong setting must stop the start with an error",
            OptionsClasses
                .All()
                .Where(options => !Shipped.Types.Any(type => typeof(IValidateOptions<>).MakeGenericType(options).IsAssignableFrom(type)))
                .Select(options => options.FullName!)
        );

    [Fact]
    public void Options_are_sealed() =>
        Holds(
            "Every options class is sealed",
            "a derived class would not be bound or validated",
            OptionsClasses.All().Where(options => !options.IsSealed).Select(options => options.FullName!)
        );

    [Fact]
    public void Anchored_patterns_match_to_the_end() =>
        Holds(
            "A pattern that checks a whole text ends in \\z, not in $",
            "$ also matches before a line break at the end, so \"admin\\n\" would match like \"admin\"",
            Repository.SourceFiles("src").Where(file => DollarEnd().IsMatch(file.Text)).Select(file => file.Path)
        );

    private static void Holds(string rule, string why, IEnumerable<string> broken)
    {
        var list = broken.ToList();
        Assert.True(list.Count == 0, $"Rule: {rule}. Why: {why}. Broken by: {string.Join("; ", list)}");
    }

    [GeneratedRegex(@"\bConsole\.(Out|Error|Write|In\b|Read)")]
    private static partial Regex ConsoleUsed();

    [GeneratedRegex("""Regex\(\s*@?"[^"\n]*\$"[,)]""")]
    private static partial Regex DollarEnd();
}
