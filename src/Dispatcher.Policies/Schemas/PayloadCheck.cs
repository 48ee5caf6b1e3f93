using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text.Json;
using Dispatcher.Policies.Model;
using Dispatcher.Policies.Texts;

namespace Dispatcher.Policies.Schemas;

/// <summary>One check of one payload: the errors so far, and the remaining steps.</summary>
internal sealed class PayloadCheck
{
    /// <summary>The maximum number of errors: more usually repeat one mistake.</summary>
    public const int MaxErrors = 20;

    /// <summary>
    /// The maximum number of steps for one payload: nested alternatives double with each level, and the payload determines the number of
    /// levels. A step takes at most a microsecond, so the limit is about a second. A count instead of a time gives the same answer on every
    /// machine.
    /// </summary>
    private const int MaxSteps = 1_000_000;

    /// <summary>
    /// The maximum number of nested schemas, over all levels of the payload: far more than a payload of 64 levels needs, and far fewer than
    /// the stack can hold.
    /// </summary>
    private const int MaxDepth = 1_000;

    /// <summary>The bytes of a text or number that one step may read.</summary>
    private const int BytesInStep = 64;

    private const int MaxNumberLength = 64;

    private readonly List<PayloadError> _errors = [];
    private readonly Steps _steps;
    private readonly int _most;
    private bool _failed;

    public PayloadCheck()
        : this(new Steps { Left = MaxSteps }, MaxErrors, isQuiet: false) { }

    private PayloadCheck(Steps steps, int most, bool isQuiet)
    {
        _steps = steps;
        _most = most;
        IsQuiet = isQuiet;
    }

    public bool Fits => !_failed;

    /// <summary>Whether only the result matters. Errors then get no text, which costs far more than a step.</summary>
    public bool IsQuiet { get; }

    /// <summary>Whether this is the check itself, and not an attempt.</summary>
    public bool IsWhole => _most == MaxErrors;

    /// <summary>Whether further checks cannot change the result.</summary>
    public bool IsOver => (_failed && !IsWhole) || _errors.Count > _most || _steps.Left <= 0;

    /// <summary>The first error of an attempt. Null: the attempt was quiet, or the steps ran out.</summary>
    public PayloadError? First => _errors.Count == 0 ? null : _errors[0];

    /// <summary>The steps of one read of a value: a text of 200,000 characters takes more than one.</summary>
    public static long CostOf(JsonElement value) =>
        value.ValueKind is JsonValueKind.String or JsonValueKind.Number ? CostOf(SizeOf(value)) : 1;

    /// <summary>The steps of reading so many bytes.</summary>
    public static long CostOf(long bytes) => 1 + (bytes / BytesInStep);

    /// <summary>The number of bytes of a value as it was sent.</summary>
    public static int SizeOf(JsonElement value) => JsonMarshal.GetRawUtf8Value(value).Length;

    /// <summary>Must be called before each step. False: the check is over.</summary>
    public bool Step(long cost = 1)
    {
        _steps.Left = Math.Max(0, _steps.Left - cost);
        return !IsOver;
    }

    /// <summary>
    /// Must be called before a schema is checked. False: the check is over. Schemas that are nested too deep count as exhausted steps.
    /// </summary>
    public bool Enter()
    {
        // The first limit is the same on every machine. The second protects the process where the stack is small or used up by the caller.
        if (++_steps.Depth > MaxDepth || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            _steps.Left = 0;
        }

        return !IsOver;
    }

    public void Leave() => _steps.Depth--;

    /// <summary>Checks an alternative with the steps of this check. Stops at the first error.</summary>
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

    /// <summary>At most <see cref="MaxErrors"/> errors, sorted by path, and one more that reports a longer list.</summary>
    public IReadOnlyList<PayloadError> Result()
    {
        if (_steps.Left <= 0)
        {
            // The errors so far depend on where the steps ran out, and the unchecked rest may contain anything.
            return
            [
                new PayloadError
                {
                    Path = "",
                    Message =
                        $"seen: a payload that takes more than {Number(MaxSteps)} steps or {Number(MaxDepth)} nested schemas to "
                        + "check; allowed: at most that.",
                    Fix = "send a smaller payload.",
                },
            ];
        }

        IEnumerable<PayloadError> sorted = _errors
            .Take(MaxErrors)
            .OrderBy(error => error.Path, StringComparer.Ordinal)
            .ThenBy(error => error.Message, StringComparer.Ordinal);
        return _errors.Count <= MaxErrors
            ? [.. sorted]
            :
            [
                .. sorted,
                new PayloadError
                {
                    Path = "",
                    Message = $"seen: more errors than the {MaxErrors} listed; allowed: none.",
                    Fix = "correct the listed errors and send it again.",
                },
            ];
    }

    /// <summary>The kind and size of a value, without the content of a text.</summary>
    private static string Seen(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.Object => $"an object with {Number(value.GetPropertyCount())} member(s)",
            JsonValueKind.Array => $"a list of {Number(value.GetArrayLength())}",
            JsonValueKind.String => $"a text of {Number(SizeLimit.Length(value))} character(s)",
            JsonValueKind.Number => $"the number {Excerpt.Of(value.GetRawText(), MaxNumberLength)}",
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
