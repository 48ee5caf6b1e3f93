using System.CommandLine;
using System.CommandLine.Invocation;
using Dispatcher.Benchmarks;
using Dispatcher.Benchmarks.Verbs;

var policy = new Command(
    "policy",
    "Time and memory of one policy decision by the number of rules, against a scan of all rules; under a minute."
);
policy.SetAction(_ => PolicyBenchmark.Run());
var root = new RootCommand("Benchmarks. Each prints tables; a timing never fails. See README.md in tests/Dispatcher.Benchmarks.")
{
    policy,
    ThroughputVerb.Create(),
    LatencyVerb.Create(),
    GrowthVerb.Create(),
    StartupVerb.Create(),
    ChildVerb.Create(),
};

// A benchmark that is interrupted stops its programs and servers, which takes a few seconds.
var configuration = new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromMinutes(1) };
var call = root.Parse(args);
if (call.Action is ParseErrorAction wrongUse)
{
    // The whole help would scroll the error away; it is shown only when the verb is missing.
    wrongUse.ShowHelp = call.CommandResult.Command.Subcommands.Count > 0;
}

var code = await call.InvokeAsync(configuration);
return call.Action is ParseErrorAction ? 2 : code;
