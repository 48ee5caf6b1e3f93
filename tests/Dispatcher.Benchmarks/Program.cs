using Dispatcher.Benchmarks;

switch (args)
{
    case ["policy"]:
        PolicyBenchmark.Run();
        return 0;
    case ["--help"]:
        Console.WriteLine(Usage());
        return 0;
    default:
        Console.Error.WriteLine(Usage());
        return 2;
}

static string Usage() =>
    """
        Usage: dotnet run -c Release --project tests/Dispatcher.Benchmarks -- BENCHMARK

          policy   time and memory of one policy decision by the number of rules, against a scan of all rules; under a minute
        """;
