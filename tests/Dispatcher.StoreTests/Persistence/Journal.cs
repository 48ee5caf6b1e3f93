namespace Dispatcher.StoreTests.Persistence;

/// <summary>
/// Records the messages of consumers in order. Waits for expected ones, and fails after a time that a slow machine does not need.
/// </summary>
public sealed class Journal
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly List<object> _seen = [];
    private TaskCompletionSource _more = New();

    public void Add(object message)
    {
        lock (_seen)
        {
            _seen.Add(message);
            _more.SetResult();
            _more = New();
        }
    }

    public IReadOnlyList<T> All<T>()
    {
        lock (_seen)
        {
            return [.. _seen.OfType<T>()];
        }
    }

    public Task<IReadOnlyList<T>> FirstAsync<T>(Func<T, bool> wanted) => AtLeastAsync(1, wanted);

    public async Task<IReadOnlyList<T>> AtLeastAsync<T>(int count, Func<T, bool> wanted)
    {
        while (true)
        {
            Task more;
            lock (_seen)
            {
                if (_seen.OfType<T>().Where(wanted).ToList() is var found && found.Count >= count)
                {
                    return found;
                }

                more = _more.Task;
            }

            try
            {
                await more.WaitAsync(Patience, TestContext.Current.CancellationToken);
            }
            catch (TimeoutException)
            {
                throw new TimeoutException(
                    $"Not {count} times {typeof(T).Name} as wanted. Seen: {string.Join(Environment.NewLine, All<object>())}"
                );
            }
        }
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
