using System.Text.Json;

namespace Dispatcher.Policies.Schemas;

/// <summary>A schema, or one inside another: all of its keywords must hold. Without any it takes everything.</summary>
internal sealed class JsonSchema(IReadOnlyList<Keyword> keywords)
{
    /// <summary>What all of its keywords ask for together.</summary>
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

/// <summary>One condition of a schema, as JSON Schema draft 2020-12 has it. It says nothing of values of another kind than its own.</summary>
internal abstract class Keyword
{
    public abstract void Check(JsonElement value, PayloadPath at, PayloadCheck check);

    /// <summary>Adds what it asks for. Most keywords only limit what a value may be.</summary>
    public virtual void Describe(Shape shape) { }
}
