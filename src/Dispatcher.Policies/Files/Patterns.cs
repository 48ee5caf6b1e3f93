using System.Text.RegularExpressions;

namespace Dispatcher.Policies.Files;

/// <summary>The syntax of names, each as a pattern and as words for an error.</summary>
internal static partial class Patterns
{
    public const string NameWords = "1 to 64 of a-z, 0-9, _ and -";
    public const string RuleIdWords = "1 to 128 of A-Z, a-z, 0-9, ., _ and -";
    public const string TopicWords = "2 to 8 segments of a-z, 0-9, _ and - with dots between, at most 128 characters";
    public const string TopicPatternWords =
        "segments of a-z, 0-9, _ and - with dots between; * for one segment; ** only at the end, for the rest";
    public const string CommandWords = "the name of a program as it is called, 1 to 256 characters";
    public const string PointerWords = "a JSON pointer such as /command";
    public const string SchemaFileWords = "the name of a file under schemas/, of a-z, 0-9, _ and -, ending .json";
    public const string VersionWords = "v1";
    public const string FaultWords =
        "the code of a fault or the type of an exception, 1 to 256 characters without spaces, or its beginning and *";

    [GeneratedRegex(@"\A[a-z0-9_-]{1,64}\z")]
    public static partial Regex Name();

    [GeneratedRegex(@"\A[A-Za-z0-9._-]{1,128}\z")]
    public static partial Regex RuleId();

    [GeneratedRegex(@"\A(?=.{1,128}\z)[a-z0-9_-]+(\.[a-z0-9_-]+){1,7}\z")]
    public static partial Regex Topic();

    [GeneratedRegex(@"\A(?=.{1,128}\z)(([a-z0-9_-]+|\*)\.)*([a-z0-9_-]+|\*\*?)\z")]
    public static partial Regex TopicPatternText();

    [GeneratedRegex(@"\A[^\x00-\x1f]{1,256}\z")]
    public static partial Regex Command();

    [GeneratedRegex(@"\A(/([^~/]|~[01])*)*\z")]
    public static partial Regex Pointer();

    [GeneratedRegex(@"\A[a-z0-9_-]{1,64}\.json\z")]
    public static partial Regex SchemaFileName();

    [GeneratedRegex(@"\A[!-)+-~]{1,255}[!-~]?\z")]
    public static partial Regex Fault();

    [GeneratedRegex(@"\Av1\z")]
    public static partial Regex Version();
}
