using Dispatcher.Enforcement;
using Dispatcher.Policies.Model;

namespace Dispatcher.UnitTests;

/// <summary>A decision that the test states, without a policy.</summary>
internal sealed class AnEvaluated<T>(T subject, Decision decision, DateTimeOffset at) : Evaluated<T>(subject, decision, at);
