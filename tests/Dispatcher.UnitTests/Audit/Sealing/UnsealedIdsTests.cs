using Dispatcher.Audit.Sealing;

namespace Dispatcher.UnitTests.Audit.Sealing;

/// <summary>A pass reads every id that may have no seal, and not the ids that were sealed in the last seconds.</summary>
public sealed class UnsealedIdsTests
{
    private readonly UnsealedIds _ids = new();

    [Fact]
    public void All_ids_above_the_floor_are_read_until_the_floor_covers_what_an_earlier_process_sealed()
    {
        _ids.Seal(APass(largestBefore: 10, 11, 12));

        Expect(9, [], _ids.Above(9));
        Expect(12, [], _ids.Above(10));
    }

    [Fact]
    public void Id_that_was_passed_over_is_read_until_it_is_sealed()
    {
        _ids.Seal(APass(largestBefore: 10, 11, 14));
        Expect(14, [12, 13], _ids.Above(10));

        _ids.Seal(APass(largestBefore: 14, 13, 15));

        Expect(15, [12], _ids.Above(10));
    }

    [Fact]
    public void Id_below_the_floor_belongs_to_no_transaction_and_is_not_read_again()
    {
        _ids.Seal(APass(largestBefore: 10, 12, 14));

        Expect(14, [13], _ids.Above(12));
    }

    [Fact]
    public void Entries_that_other_processes_sealed_are_not_read()
    {
        _ids.Seal(APass(largestBefore: 10, 12));

        _ids.Seal(APass(largestBefore: 14, 15) with { Others = [11, 13, 14] });

        Expect(15, [], _ids.Above(10));
    }

    [Fact]
    public void All_ids_above_the_floor_are_read_again_when_seals_are_missing()
    {
        _ids.Seal(APass(largestBefore: 10, 12));

        _ids.Seal(APass(largestBefore: 11, 12) with { Others = null });

        Expect(10, [], _ids.Above(10));
    }

    [Fact]
    public void All_ids_above_the_floor_are_read_when_too_many_have_no_seal()
    {
        _ids.Seal(APass(largestBefore: 10, 5_000));

        Expect(20, [], _ids.Above(20));
    }

    [Fact]
    public void Rest_of_a_range_has_the_gaps_and_ids_above_the_last_read_one()
    {
        Expect(14, [13], new SealRange(14, [12, 13]).Above(12));
        Expect(20, [], new SealRange(14, [12, 13]).Above(20));
    }

    private static SealPass APass(long largestBefore, params long[] entries) =>
        new(entries, [], new SealHead(1, [], largestBefore), OldestLive: 0, NextTransaction: 0);

    private static void Expect(long after, long[] gaps, SealRange range) =>
        Assert.Equal((after, string.Join(',', gaps)), (range.After, string.Join(',', range.Gaps)));
}
