using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text.Json;
using Dispatcher.Policies.Model;
using Dispatcher.Policies.Texts;

namespace Dispatcher.Policies.Schemas;

/// <summary>One check of one payload: its errors so far, and what it may still cost.</summary>
internal sealed class PayloadCheck
{
    /// <summary>Whoever has more than this many errors has one mistake repeated.</summary>
    public const int MostErrors = 20;

    /// <summary>
    /// Most steps that are spent on one payload: alternatives inside alternatives double with each level, and the payload says how many levels there are. A step is a
    /// microsecond at most, so that this is about a second. A count and no time: the same payload gets the same answer on every machine.
    /// </summary>
    private const int MostSteps = 1_000_000;

    /// <summary>Most schemas inside each other, by all levels of the payload: far more than a payload of 64 levels needs, and far less than a stack holds.</summary>
    private const int MostDepth = 1_000;

    /// <summary>Bytes of a text or number that are looked at in one step.</summary>
    private const int BytesInStep = 64;

    private const int LongestNumber = 64;

    private readonly List<PayloadError> _errors = [];
    private readonly Steps _steps;
    private readonly int _most;
    private bool _failed;

    public PayloadCheck()
        : this(new Steps { Left = MostSteps }, MostErrors, isQuiet: false) { }

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

    /// <summary>What one look at a value costs: a text of 200,000 characters is no single step.</summary>
    public static long CostOf(JsonElement value) =>
        value.ValueKind is JsonValueKind.String or JsonValueKind.Number ? CostOf(SizeOf(value)) : 1;

    /// <summary>What it costs to look at so many bytes.</summary>
    public static long CostOf(long bytes) => 1 + (bytes / BytesInStep);

    /// <summary>The bytes of a value as it was sent.</summary>
    public static int SizeOf(JsonElement value) => JsonMarshal.GetRawUtf8Value(value).Length;

    /// <summary>To be asked before each step. False: it is over.</summary>
    public bool Step(long cost = 1)
    {
        _steps.Left = Math.Max(0, _steps.Left - cost);
        return !IsOver;
    }

    /// <summary>To be asked before a schema is gone into. False: it is over; when they are nested too deep, as if the steps had run out.</summary>
    public bool Enter()
    {
        // The first is the same on every machine. The second keeps the process alive where the stack is small, or used up by whoever called.
        if (++_steps.Depth > MostDepth || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            _steps.Left = 0;
        }

        return !IsOver;
    }

    public void Leave() => _steps.Depth--;

    /// <summary>Tries an alternative at the cost of this check; stops at its first error.</summary>
    public PayloadCheck Attempt(JsonSchema schema, JsonElement value, PayloadPath at, bool isQuiet = true)
    {
        PayloadCheck attempt = new(_steps, most: 0, isQuiet);
        schema.Check(value, at, attempt);
        return attempt;
    }

    public void Add(PayloadPath at, JsonElement value, string allowed, string fix) => Add(at, IsQuiet ? "" : Seen(value), allowed, fix);

    public void Add(PayloadPath at, string seen, string allowed, string fix)
    {
        _failed = true;
        if (!IsQuiet)
        {
            _errors.Add(
                new PayloadError
                {
                    Path = at.Pointer(),
                    Message = $"seen: {seen}; allowed: {allowed}.",
                    Fix = fix,
                }
            );
        }
    }

    /// <summary>At most <see cref="MostErrors"/>, sorted by place, and one more that says so where there are more.</summary>
    public IReadOnlyList<PayloadError> Result()
    {
        if (_steps.Left <= 0)
        {
            // What was found so far hangs on where the steps ran out; what was not looked at may be anything.
            return
            [
                new PayloadError
                {
                    Path = "",
                    Message =
                        $"seen: a payload that takes more than {Number(MostSteps)} steps, or {Number(MostDepth)} schemas inside each other, to check; allowed: that many.",
                    Fix = "send a smaller payload.",
                },
            ];
        }

        IEnumerable<PayloadError> sorted = _errors
            .Take(MostErrors)
            .OrderBy(error => error.Path, StringComparer.Ordinal)
            .ThenBy(error => error.Message, StringComparer.Ordinal);
        return _errors.Count <= MostErrors
            ? [.. sorted]
            :
            [
                .. sorted,
                new PayloadError
                {
                    Path = "",
                    Message = $"seen: more errors than these {MostErrors}; allowed: none.",
                    Fix = "correct these and send it again.",
                },
            ];
    }

    /// <summary>What a value is, without the content of a text.</summary>
    private static string Seen(JsonElement value) =>
        value.ValueKind switch
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
        public long Left { get; set; }

        public int Depth { get; set; }
    }
}
