using System.Text.Json;

namespace Dispatcher.Policies.Schemas;

/// <summary>A schema or subschema: all of its keywords must hold. A schema without keywords accepts every value.</summary>
internal sealed class JsonSchema(IReadOnlyList<Keyword> keywords)
{
    /// <summary>The requirements of all keywords together.</summary>
    public Shape Shape()
    {
        Shape shape = new();
        Describe(shape);
        return shape;
    }

    public void Describe(Shape shape)
    {
        foreach (var keyword in keywords)
        {
            keyword.Describe(shape);
        }
    }

    public void Check(JsonElement value, PayloadPath at, PayloadCheck check)
    {
        if (!check.Enter())
        {
            return;
        }

        var cost = PayloadCheck.CostOf(value);
        foreach (var keyword in keywords)
        {
            if (!check.Step(cost))
            {
                break;
            }

            keyword.Check(value, at, check);
        }

        check.Leave();
    }
}

/// <summary>One keyword of JSON Schema draft 2020-12. It ignores values of other kinds than its own.</summary>
internal abstract class Keyword
{
    public abstract void Check(JsonElement value, PayloadPath at, PayloadCheck check);

    /// <summary>Adds the requirements of the keyword. Most keywords only limit a value and add none.</summary>
    public virtual void Describe(Shape shape) { }
}
