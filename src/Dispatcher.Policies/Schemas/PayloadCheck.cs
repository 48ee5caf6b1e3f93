using System.Globalization;
using System.Text.Json;

namespace Dispatcher.Policies.Schemas;

/// <summary>One check of one payload: its errors so far, and what it may still cost.</summary>
internal sealed class PayloadCheck
{
    /// <summary>Whoever has more than this many errors has one mistake repeated.</summary>
    public const int MostErrors = 20;

    /// <summary>Most subschemas that are tried on one payload. Alternatives inside alternatives double with each level, and the payload says how many levels there are.</summary>
    private const int MostSteps = 1_000_000;

    private const int LongestNumber = 64;

    private readonly List<PayloadError> _errors = [];
    private readonly Steps _steps;
    private readonly int _most;
    private bool _failed;

    public PayloadCheck()
        : this(new Steps { Left = MostSteps }, MostErrors, isQuiet: false)
    {
    }

    private PayloadCheck(Steps steps, int most, bool isQuiet)
    {
        _steps = steps;
        _most = most;
        IsQuiet = isQuiet;
    }

    public bool Fits => !_failed;

    /// <summary>Only whether it fits is asked: errors are not put into words, which costs far more than a step.</summary>
    public bool IsQuiet { get; }

    /// <summary>Whether this is the check itself and no attempt.</summary>
    public bool IsWhole => _most == MostErrors;

    /// <summary>Whether looking on is in vain.</summary>
    public bool IsOver => (_failed && !IsWhole) || _errors.Count > _most || _steps.Left <= 0;

    /// <summary>Why an attempt did not fit. Null: it was quiet, or the steps ran out.</summary>
    public PayloadError? First => _errors.Count == 0 ? null : _errors[0];

    /// <summary>To be asked before each step. False: it is over.</summary>
    public bool Step(int cost = 1)
    {
        _steps.Left -= cost;
        return !IsOver;
    }

    /// <summary>Tries an alternative at the cost of this check; stops at its first error.</summary>
    public PayloadCheck Attempt(Schema schema, JsonElement value, Place at, bool isQuiet = true)
    {
        PayloadCheck attempt = new(_steps, most: 0, isQuiet);
        schema.Check(value, at, attempt);
        return attempt;
    }

    public void Add(Place at, JsonElement value, string allowed, string fix) => Add(at, IsQuiet ? "" : Seen(value), allowed, fix);

    public void Add(Place at, string seen, string allowed, string fix)
    {
        _failed = true;
        if (!IsQuiet)
        {
            _errors.Add(new PayloadError { Path = at.Pointer(), Message = $"seen: {seen}; allowed: {allowed}.", Fix = fix });
        }
    }

    /// <summary>At most <see cref="MostErrors"/>, sorted by place, and one more that says so where there are more.</summary>
    public IReadOnlyList<PayloadError> Result()
    {
        if (_steps.Left <= 0)
        {
            // What was found so far hangs on where the steps ran out; what was not looked at may be anything.
            return [new PayloadError { Path = "", Message = $"seen: a payload that takes more than {Number(MostSteps)} steps to check; allowed: that many.", Fix = "send a smaller payload." }];
        }

        IEnumerable<PayloadError> sorted = _errors.Take(MostErrors).OrderBy(error => error.Path, StringComparer.Ordinal).ThenBy(error => error.Message, StringComparer.Ordinal);
        return _errors.Count <= MostErrors
            ? [.. sorted]
            : [.. sorted, new PayloadError { Path = "", Message = $"seen: more errors than these {MostErrors}; allowed: none.", Fix = "correct these and send it again." }];
    }

    /// <summary>What a value is, without the content of a text.</summary>
    private static string Seen(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => $"an object with {Number(value.GetPropertyCount())} member(s)",
        JsonValueKind.Array => $"a list of {Number(value.GetArrayLength())}",
        JsonValueKind.String => $"a text of {Number(SizeLimit.Length(value))} character(s)",
        JsonValueKind.Number => $"the number {Excerpt.Of(value.GetRawText(), LongestNumber)}",
        JsonValueKind.True => "true",
        JsonValueKind.False => "false",
        JsonValueKind.Null or JsonValueKind.Undefined => "null",
    };

    private static string Number(int number) => number.ToString(CultureInfo.InvariantCulture);

    private sealed class Steps
    {
        public int Left { get; set; }
    }
}
