namespace Dispatcher.Worker;

/// <summary>The worker lacks a right that it needs to serve its pool. It ends, because a retry cannot help.</summary>
/// <param name="message">The user, the missing right, and how to grant it.</param>
/// <param name="innerException">The refusal of the broker or the dispatcher.</param>
public sealed class WorkerNotAllowedException(string message, Exception? innerException = null) : Exception(message, innerException);
