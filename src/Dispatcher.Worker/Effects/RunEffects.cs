using System.Data.Common;
using System.Runtime.ExceptionServices;

namespace Dispatcher.Worker.Effects;

/// <summary>
/// Guards the side effects of a job by key, over all its attempts. A key names one effect within the job, for example
/// <c>charge-42</c>, and has 1 to 128 characters. An effect that is done is not run again: its stored result is returned.
/// </summary>
public sealed class RunEffects
{
    private const int MaxKey = 128;

    private readonly PoolEffectStore? _store;
    private readonly EffectOwner _owner;
    private readonly bool _idempotent;
    private readonly Func<bool> _allowed;

    internal RunEffects(PoolEffectStore? store, EffectOwner owner, bool idempotent, Func<bool> allowed) =>
        (_store, _owner, _idempotent, _allowed) = (store, owner, idempotent, allowed);

    /// <summary>
    /// Runs an effect within the database of the effect store. It commits together with the row of its result, so it happens exactly once.
    /// </summary>
    /// <param name="key">The effect within the job.</param>
    /// <param name="effect">Uses the given connection and transaction, and neither commits nor rolls back.</param>
    /// <param name="cancellationToken">The handler's token.</param>
    /// <exception cref="FencedException">The run must have no further effect.</exception>
    /// <exception cref="EffectsUnavailableException">The pool has no effect store.</exception>
    public Task<T> OnceAsync<T>(
        string key,
        Func<DbConnection, DbTransaction, CancellationToken, Task<T>> effect,
        CancellationToken cancellationToken
    ) => Checked(key).InTransactionAsync(_owner, key, effect, cancellationToken);

    /// <summary>
    /// Runs an effect outside the effect store: stores that it begins, runs it, then stores that it is done. It runs at most once unless
    /// it may be repeated.
    /// </summary>
    /// <param name="key">The effect within the job.</param>
    /// <param name="action">
    /// Gets the effect key, <c>job id:key</c>, which is the same in every attempt. Send it along, for example as <c>Idempotency-Key</c>.
    /// Throws <see cref="EffectNotDoneException"/> when the effect surely did not happen.
    /// </param>
    /// <param name="mayRepeat">
    /// True: an effect in doubt is run again, because the receiver drops a second request with the same effect key, or two do no more harm
    /// than one. False: it is never run again.
    /// </param>
    /// <param name="cancellationToken">The handler's token.</param>
    /// <exception cref="EffectInDoubtException">An earlier attempt began it, its end is unknown, and it may not be repeated.</exception>
    /// <exception cref="FencedException">The run must have no further effect.</exception>
    /// <exception cref="EffectsUnavailableException">The pool has no effect store.</exception>
    public async Task<T> OnceAsync<T>(
        string key,
        Func<string, CancellationToken, Task<T>> action,
        bool mayRepeat,
        CancellationToken cancellationToken
    )
    {
        var store = Checked(key);
        if (await store.BeginAsync(_owner, key, mayRepeat, cancellationToken) is { } done)
        {
            return PoolEffectStore.Read<T>(done);
        }

        // Checked again: the lease may have expired while the store was slow. Until here the action has not begun. Once the action has
        // begun, a lost lease does not show whether it happened.
        if (!_allowed())
        {
            await store.ForgetAsync(_owner, key, CancellationToken.None);
            throw new FencedException(_owner.JobId, _owner.Attempt);
        }

        T value;
        try
        {
            value = await action($"{_owner.JobId:D}:{key}", cancellationToken);
        }
        catch (EffectNotDoneException exception)
        {
            await store.ForgetAsync(_owner, key, CancellationToken.None);
            ExceptionDispatchInfo.Throw(exception.Reason);
            throw;
        }

        // The effect has happened. A cancelled write would leave it in doubt for the next attempt.
        await store.DoneAsync(_owner, key, value, CancellationToken.None);
        return value;
    }

    /// <summary>
    /// As above, and repeats an effect in doubt only where the topic is <c>idempotent</c> (see <see cref="JobRun.Idempotent"/>).
    /// </summary>
    public Task<T> OnceAsync<T>(string key, Func<string, CancellationToken, Task<T>> action, CancellationToken cancellationToken) =>
        OnceAsync(key, action, _idempotent, cancellationToken);

    private PoolEffectStore Checked(string key)
    {
        if (key.Length is 0 or > MaxKey)
        {
            throw new ArgumentException($"An effect key has 1 to {MaxKey} characters; this one has {key.Length}.", nameof(key));
        }

        ThrowIfRefused();
        return _store ?? throw new EffectsUnavailableException();
    }

    private void ThrowIfRefused()
    {
        if (!_allowed())
        {
            throw new FencedException(_owner.JobId, _owner.Attempt);
        }
    }
}
