using System.Globalization;
using Dispatcher.Base;
using Dispatcher.Contracts;

namespace Dispatcher.Web;

/// <summary>
/// The last row of the previous page, as <c>&lt;microseconds since 1970&gt;_&lt;id&gt;</c>. Lists are ordered by time and id, newest first.
/// </summary>
internal readonly record struct Cursor(long At, Guid Id)
{
    public static Cursor? Read(string text) =>
        text.Split('_') is [var at, var id]
        && long.TryParse(at, NumberStyles.None, CultureInfo.InvariantCulture, out var micros)
        && Guid.TryParseExact(id, "D", out var guid)
            ? new Cursor(micros, guid)
            : null;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{At}_{Id}");
}

/// <summary>Which page of a list to read. <see cref="After"/> null: the first one.</summary>
internal sealed record Paging(int Limit, Cursor? After)
{
    public const int MaxPage = 500;

    /// <summary>
    /// Reads both parameters and adds an error for each invalid one. An invalid cursor must not lead back to the first page: a reader of
    /// all pages would never end.
    /// </summary>
    public static Paging Read(string? cursor, int limit, List<InputError> errors)
    {
        var after = cursor is null ? null : Cursor.Read(cursor);
        if (cursor is not null && after is null)
        {
            errors.Report(
                "bad_cursor",
                "?cursor",
                $"\"{InputErrors.Cut(cursor)}\" is not a cursor.",
                "Send \"next\" of the previous page unchanged, or no cursor for the first page."
            );
        }

        if (limit is < 1 or > MaxPage)
        {
            errors.Report("bad_limit", "?limit", $"Seen: {limit}.", $"Allowed: 1 to {MaxPage}.");
        }

        return new Paging(limit, after);
    }

    /// <summary>The page of these rows. A full page has a cursor, because more rows may follow.</summary>
    public Page<TView> Of<TRow, TView>(IReadOnlyList<TRow> rows, Func<TRow, TView> view, Func<TRow, Cursor> cursor) =>
        new([.. rows.Select(view)], rows.Count < Limit ? null : cursor(rows[^1]).ToString());
}
