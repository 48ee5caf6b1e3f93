using System.CommandLine;
using Dispatcher.Benchmarks.Contestants;
using Dispatcher.Benchmarks.Measuring;

namespace Dispatcher.Benchmarks.Verbs;

/// <summary>The options that the verbs with servers have in common.</summary>
internal sealed class BenchmarkOptions
{
    private const int QuickDivisor = 5;

    private readonly int _jobs;
    private readonly IReadOnlyList<Contestant> _contestants;
    private readonly Option<int> _rounds;
    private readonly Option<int?> _jobsOption;
    private readonly Option<string[]> _only;
    private readonly Option<bool> _json = new("--json")
    {
        Description = "Print the results as JSON on the standard output instead of tables.",
    };
    private readonly Option<bool> _quick = new("--quick")
    {
        Description = "One round, and a fifth of the jobs that are not given: shows that the benchmark works; its numbers mean little.",
    };

    public BenchmarkOptions(int jobs, string jobsMeaning, IReadOnlyList<Contestant> contestants, int rounds = 3)
    {
        _jobs = jobs;
        _contestants = contestants;
        _rounds = new Option<int>("--rounds")
        {
            Description = "Rounds of each contestant, in turn; fewer than three say nothing of the spread.",
            HelpName = "N",
            DefaultValueFactory = _ => rounds,
        };
        _jobsOption = new Option<int?>("--jobs") { Description = $"{jobsMeaning} Default {jobs}.", HelpName = "N" };
        _only = new Option<string[]>("--only")
        {
            Description =
                "Only these contestants. All: " + string.Join("; ", contestants.Select(one => $"{one.Name} ({one.Description})")) + ".",
            HelpName = "NAME",
            AllowMultipleArgumentsPerToken = true,
        };
        _only.AcceptOnlyFromAmong([.. contestants.Select(one => one.Name)]);
    }

    public void AddTo(Command verb)
    {
        foreach (var option in new Option[] { _rounds, _jobsOption, _only, _json, _quick })
        {
            verb.Add(option);
        }
    }

    public bool IsJson(ParseResult call) => call.GetValue(_json);

    public bool IsQuick(ParseResult call) => call.GetValue(_quick);

    public BenchmarkSize Size(ParseResult call)
    {
        var quick = IsQuick(call);
        var jobs = call.GetValue(_jobsOption) ?? (quick ? _jobs / QuickDivisor : _jobs);
        return new BenchmarkSize(quick ? 1 : call.GetValue(_rounds), jobs, Math.Max(1_000, jobs / 3));
    }

    public IReadOnlyList<Contestant> Contestants(ParseResult call) =>
        call.GetValue(_only) is { Length: > 0 } only ? [.. _contestants.Where(one => only.Contains(one.Name))] : _contestants;
}
