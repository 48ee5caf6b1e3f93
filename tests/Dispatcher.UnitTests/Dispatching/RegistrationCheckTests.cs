using Dispatcher.Contracts;
using Dispatcher.Dispatching;

namespace Dispatcher.UnitTests.Dispatching;

public sealed class RegistrationCheckTests
{
    [Theory]
    [InlineData(128, null)]
    [InlineData(129, "registration_too_large")]
    public void Lists_of_a_registration_have_at_most_16_KiB_in_total(int texts, string? code)
    {
        var errors = new List<InputError>();
        var text = new string('é', 64);
        var registration = new WorkerRegistration
        {
            Pool = "shell",
            Version = "1",
            Topics = [.. Enumerable.Repeat(text, texts - 1)],
            Enforcers = [text],
            Capacity = 1,
        };

        RegistrationCheck.Run(registration, errors);

        Assert.Equal(code, errors.SingleOrDefault()?.Code);
    }

    [Theory]
    [InlineData(0, null, null)]
    [InlineData(3, "unreadable_body", null)]
    [InlineData(-1, null, "bad_dropping")]
    [InlineData(3, "", "bad_dropping")]
    [InlineData(3, "a\nb", "bad_dropping")]
    public void Report_of_dropped_deliveries_needs_a_count_and_a_visible_word(int dropped, string? dropping, string? code)
    {
        var errors = new List<InputError>();

        RegistrationCheck.Run(
            new WorkerRegistration
            {
                Pool = "shell",
                Version = "1",
                Topics = [],
                Enforcers = [],
                Capacity = 1,
                Dropped = dropped,
                Dropping = dropping,
            },
            errors
        );

        Assert.Equal(code, errors.SingleOrDefault()?.Code);
    }

    [Theory]
    [InlineData("host-17/4711")]
    [InlineData("Büro 東京 🛠")]
    public void Visible_text_is_accepted(string text) => Assert.False(RegistrationCheck.IsBad(text));

    // An attribute cannot hold half of a pair: its texts are UTF-8.
    [Fact]
    public void Half_of_a_surrogate_pair_is_refused()
    {
        string[] texts = ["a\ud800", "\udc00a"];

        Assert.All(texts, text => Assert.True(RegistrationCheck.IsBad(text)));
    }
}
