using System.CommandLine;
using Dispatcher.Benchmarks.Contestants;
using Dispatcher.Benchmarks.Measuring;

namespace Dispatcher.Benchmarks.Verbs;

/// <summary>The options that the verbs with servers have in common, and the output that <c>--json</c> changes.</summary>
internal sealed class BenchmarkOptions
{
    /// <summary>Jobs after which the runtime hardly compiles any more.</summary>
    public const int Warm = 40_000;

    private const int QuickDivisor = 5;
    private const int LeastWarmUp = 1_000;

    private readonly int _jobs;
    private readonly int _warmUp;
    private readonly IReadOnlyList<Contestant> _contestants;
    private readonly Option<int> _roundsOption;
    private readonly Option<int?> _jobsOption;
    private readonly Option<int?> _warmUpOption;
    private readonly Option<string[]> _only;
    private readonly Option<bool> _json = new("--json")
    {
        Description = "Print the results as JSON on the standard output instead of tables.",
    };
    private readonly Option<bool> _quick = new("--quick")
    {
        Description = "One round of a fifth of the usual size: shows that the benchmark works; its numbers mean little.",
    };

    /// <param name="jobs">Default of <c>--jobs</c>. 0: the verb does not have the option.</param>
    /// <param name="jobsMeaning">Its meaning, for the help.</param>
    /// <param name="contestants">What <c>--only</c> selects from. Empty: the verb does not have the option.</param>
    /// <param name="rounds">Default of <c>--rounds</c>.</param>
    /// <param name="warmUp">Default of <c>--warm-up</c>. 0: the verb does not have the option, and the warm-up is a third.</param>
    public BenchmarkOptions(int jobs, string jobsMeaning, IReadOnlyList<Contestant> contestants, int rounds = 3, int warmUp = 0)
    {
        (_jobs, _warmUp, _contestants) = (jobs, warmUp, contestants);
        _roundsOption = new Option<int>("--rounds")
        {
            Description = "Rounds of each contestant, in turn. Fewer than three show no spread.",
            HelpName = "N",
            DefaultValueFactory = _ => rounds,
        };
        _roundsOption.Validators.Add(AtLeastOne);
        _jobsOption = new Option<int?>("--jobs") { Description = $"{jobsMeaning} Default {jobs}.", HelpName = "N" };
        _jobsOption.Validators.Add(AtLeastOne);
        _warmUpOption = new Option<int?>("--warm-up")
        {
            Description =
                "Jobs before the measured ones. The runtime compiles the code of the hot path again for about a minute under load. "
                + $"Default {warmUp}.",
            HelpName = "N",
        };
        _warmUpOption.Validators.Add(AtLeastOne);
        _only = new Option<string[]>("--only")
        {
            Description =
                "Only this contestant; may be repeated. All: "
                + string.Join("; ", contestants.Select(one => $"{one.Name} ({one.Description})"))
                + ".",
            HelpName = "NAME",
        };
        _only.AcceptOnlyFromAmong([.. contestants.Select(one => one.Name)]);
    }

    public void AddTo(Command verb)
    {
        verb.Add(_roundsOption);
        if (_jobs > 0)
        {
            verb.Add(_jobsOption);
        }

        if (_warmUp > 0)
        {
            verb.Add(_warmUpOption);
        }

        if (_contestants.Count > 0)
        {
            verb.Add(_only);
        }

        verb.Add(_json);
        verb.Add(_quick);
    }

    public bool IsQuick(ParseResult call) => call.GetValue(_quick);

    /// <param name="call">The command line.</param>
    /// <param name="isDivided">Whether <c>--quick</c> makes the default smaller.</param>
    public int Jobs(ParseResult call, bool isDivided = true) =>
        call.GetValue(_jobsOption) ?? (isDivided && IsQuick(call) ? _jobs / QuickDivisor : _jobs);

    public BenchmarkSize Size(ParseResult call)
    {
        var jobs = Jobs(call);
        var warmUp = _warmUp == 0 || IsQuick(call) ? Math.Max(LeastWarmUp, jobs / 3) : _warmUp;
        return new BenchmarkSize(
            IsQuick(call) ? 1 : call.GetValue(_roundsOption),
            jobs,
            _warmUp == 0 ? warmUp : call.GetValue(_warmUpOption) ?? warmUp
        );
    }

    public IReadOnlyList<Contestant> Contestants(ParseResult call) =>
        call.GetValue(_only) is { Length: > 0 } only ? [.. _contestants.Where(one => only.Contains(one.Name))] : _contestants;

    /// <summary>Prints results as tables of some measures each, or all of them as JSON.</summary>
    public void Write(ParseResult call, params (Results Results, string Title, string[] Measures)[] tables)
    {
        if (call.GetValue(_json))
        {
            Console.WriteLine(Results.ToJson(tables.Select(table => table.Results).Distinct()));
            return;
        }

        foreach (var (results, title, measures) in tables.Where(table => table.Results.Contestants.Any()))
        {
            ResultTable.Write(results, title, measures);
        }
    }

    private static void AtLeastOne(System.CommandLine.Parsing.OptionResult option)
    {
        if (option.Tokens is [var token] && int.TryParse(token.Value, out var value) && value < 1)
        {
            option.AddError($"{option.Option.Name} must be at least 1, not {value}.");
        }
    }
}
