using System.Data.Common;
using System.Runtime.ExceptionServices;

namespace Dispatcher.Worker.Effects;

/// <summary>
/// Guards the side effects of a job by key, over all its attempts. A key names one effect within the job, for example <c>charge-42</c>; 1 to 128 characters.
/// An effect that is done is not run again: its stored result is returned.
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
    /// An effect within the effect store's own database: it commits together with the row that says it is done, so it happens once for real.
    /// </summary>
    /// <param name="key">The effect within the job.</param>
    /// <param name="effect">Uses the given connection and transaction, and neither commits nor rolls back.</param>
    /// <param name="cancellationToken">The handler's token.</param>
    /// <exception cref="FencedException">The run may cause nothing any more.</exception>
    /// <exception cref="EffectsUnavailableException">The pool has no effect store.</exception>
    public Task<T> OnceAsync<T>(
        string key,
        Func<DbConnection, DbTransaction, CancellationToken, Task<T>> effect,
        CancellationToken cancellationToken
    ) => Checked(key).InTransactionAsync(_owner, key, effect, cancellationToken);

    /// <summary>
    /// An effect elsewhere: noted as begun, then run, then noted as done. It is run at most once, unless it may be repeated with the same key.
    /// </summary>
    /// <param name="key">The effect within the job.</param>
    /// <param name="action">Gets the effect key, <c>job id:key</c>, the same in every attempt: send it along, for example as <c>Idempotency-Key</c>. Throws <see cref="EffectNotDoneException"/> when the effect surely did not happen.</param>
    /// <param name="mayRepeat">What is in doubt is run again: the receiver drops a second request with the same effect key, or two do no more harm than one. False: it is never run again.</param>
    /// <param name="cancellationToken">The handler's token.</param>
    /// <exception cref="EffectInDoubtException">An earlier attempt began it, its end is unknown, and it may not be repeated.</exception>
    /// <exception cref="FencedException">The run may cause nothing any more.</exception>
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

        // Asked again: the lease may have run out while the store was slow. Nothing has happened yet; once the action has begun, a fence within it says nothing of that.
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

        // It has happened: noting it must not be cancelled, or the next attempt is in doubt.
        await store.DoneAsync(_owner, key, value, CancellationToken.None);
        return value;
    }

    /// <summary>As above, as the job's class says: what is in doubt is run again where the topic is <c>idempotent</c> (see <see cref="JobRun.Idempotent"/>), and else never.</summary>
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
