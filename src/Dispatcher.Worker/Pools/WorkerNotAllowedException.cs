namespace Dispatcher.Worker;

/// <summary>The worker lacks a right without which it cannot serve its pool. It ends: trying again does not help.</summary>
/// <param name="message">Which right who lacks, and how to give it.</param>
/// <param name="innerException">What the other side said.</param>
public sealed class WorkerNotAllowedException(string message, Exception? innerException = null) : Exception(message, innerException);
