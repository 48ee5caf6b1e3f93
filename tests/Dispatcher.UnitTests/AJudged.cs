using Dispatcher.Enforcement;
using Dispatcher.Policies;

namespace Dispatcher.UnitTests;

/// <summary>A decision that no policy made.</summary>
internal sealed class AJudged<T>(T subject, Decision decision, DateTimeOffset at) : Judged<T>(subject, decision, at);
