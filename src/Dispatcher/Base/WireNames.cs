using System.Reflection;
using System.Text.Json.Serialization;
using Dispatcher.Contracts;

namespace Dispatcher.Base;

/// <summary>The names of states, verdicts and hops, under which they are stored and shown.</summary>
internal static class WireNames
{
    private static readonly Dictionary<JobState, string> States = NamesOf<JobState>();
    private static readonly Dictionary<Verdict, string> Verdicts = NamesOf<Verdict>();
    private static readonly Dictionary<string, JobState> ByState = States.ToDictionary(
        pair => pair.Value,
        pair => pair.Key,
        StringComparer.Ordinal
    );
    private static readonly Dictionary<string, Verdict> ByVerdict = Verdicts.ToDictionary(
        pair => pair.Value,
        pair => pair.Key,
        StringComparer.Ordinal
    );

    public static IEnumerable<string> AllStates => States.Values;

    public static string Of(JobState state) => States[state];

    public static string Of(Verdict verdict) => Verdicts[verdict];

    public static string Of(Hop hop) =>
        hop switch
        {
            Hop.Intake => "intake",
            Hop.Dispatch => "dispatch",
        };

    public static JobState State(string name) => ByState[name];

    public static bool TryState(string name, out JobState state) => ByState.TryGetValue(name, out state);

    public static Verdict Verdict(string name) => ByVerdict[name];

    private static Dictionary<T, string> NamesOf<T>()
        where T : struct, Enum =>
        Enum.GetValues<T>()
            .ToDictionary(
                value => value,
                value => typeof(T).GetField(value.ToString())!.GetCustomAttribute<JsonStringEnumMemberNameAttribute>()!.Name
            );
}
