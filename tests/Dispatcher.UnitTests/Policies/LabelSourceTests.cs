using Dispatcher.Contracts;
using Dispatcher.Policies;

namespace Dispatcher.UnitTests.Policies;

public class LabelSourceTests
{
    private const string AllowReadonly = "id: allow, match: {labels: {class: readonly}}, decision: ALLOW";
    private const string AllowAll = "id: allow, match: {topic: test.run}, decision: ALLOW";
    private const string Derived = """
        labels: {class: {values: [readonly, mutating], source: payload, derive: {path: /do/cmd, table: [
          {exact: [git, --version], value: readonly}, {prefix: [ls], value: readonly}, {exact: [rm], value: mutating}], default: mutating}}}
        """;

    [Fact]
    public void A_required_label_that_is_missing_is_a_denial()
    {
        var decision = ABundle.WithRules(AllowAll).AndTopic("labels: {env: {values: [dev, prod], required: true}}").Decide(AJob.ToTest());

        Assert.Equal(Verdict.Deny, decision.Verdict);
        Assert.Equal(ReasonCodes.LabelMissing, decision.Reason);
        Assert.Equal("label env is missing; allowed: dev, prod", decision.Detail);
    }

    [Theory]
    [InlineData("tset.run", "env", "dev", "topic tset.run is not in topics.yaml; did you mean test.run?")]
    [InlineData("zzz.zzz", "env", "dev", "topic zzz.zzz is not in topics.yaml")]
    [InlineData("test.run", "env", "prd", "label env is 'prd'; allowed: dev, prod; did you mean prod?")]
    [InlineData("test.run", "env", "something", "label env is 'something'; allowed: dev, prod")]
    [InlineData("test.run", "envv", "dev", "label env is missing; allowed: dev, prod; 'envv' is stated, did you mean env?")]
    public void A_denial_names_the_known_word_that_is_nearest(string topic, string label, string value, string detail)
    {
        var bundle = ABundle.WithRules(AllowAll).AndTopic("labels: {env: {values: [dev, prod], required: true}}");

        Assert.Equal(detail, bundle.Decide(AJob.OnTopic(topic).WithLabel(label, value)).Detail);
    }

    [Fact]
    public void A_denial_without_a_matching_rule_says_how_to_learn_why()
    {
        var decision = ABundle.WithRules(AllowReadonly).AndTopic("labels: {class: {}}").Decide(AJob.ToTest());

        Assert.Contains("dispatcher jobs explain", decision.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void A_value_outside_the_registrys_list_is_a_denial()
    {
        var bundle = ABundle.WithRules(AllowAll).AndTopic("labels: {env: {values: [dev, prod]}}");

        Assert.Equal(ReasonCodes.LabelInvalid, bundle.Decide(AJob.ToTest().WithLabel("env", "Dev")).Reason);
        Assert.Equal(Verdict.Allow, bundle.Decide(AJob.ToTest().WithLabel("env", "dev")).Verdict);
        Assert.Equal(Verdict.Allow, bundle.Decide(AJob.ToTest()).Verdict);
    }

    [Theory]
    [InlineData("""{"do":{"cmd":["git","--version"]}}""", true)]
    [InlineData("""{"do":{"cmd":["git","--version","x"]}}""", false)]
    [InlineData("""{"do":{"cmd":["ls","-l"]}}""", true)]
    [InlineData("""{"do":{"cmd":"ls"}}""", true)]
    [InlineData("""{"do":{"cmd":"ls -l"}}""", false)]
    [InlineData("""{"do":{"cmd":["rm"]}}""", false)]
    [InlineData("""{"do":{"cmd":["other"]}}""", false)]
    public void A_label_is_derived_from_the_payload_by_the_first_row_that_fits(string payload, bool isReadonly)
    {
        var decision = ABundle.WithRules(AllowReadonly).AndTopic(Derived).Decide(AJob.ToTest().WithPayload(payload));

        Assert.Equal(isReadonly ? Verdict.Allow : Verdict.Deny, decision.Verdict);
        Assert.Equal(isReadonly ? "allowed by allow" : ReasonCodes.NoMatch, decision.Reason);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"do":{}}""")]
    [InlineData("""{"do":[1]}""")]
    [InlineData("""{"do":{"cmd":null}}""")]
    [InlineData("""{"do":{"cmd":5}}""")]
    [InlineData("""{"do":{"cmd":["ls",5]}}""")]
    [InlineData("""{"do":{"cmd":{"0":"ls"}}}""")]
    [InlineData("""{"do":{"cmd":["rm"],"cmd":["ls"]}}""")]
    [InlineData("no json")]
    [InlineData("")]
    public void What_cannot_be_derived_is_absent_and_the_producers_word_does_not_take_its_place(string payload)
    {
        var job = AJob.ToTest().WithPayload(payload).WithLabel("class", "readonly");

        Assert.Equal(ReasonCodes.NoMatch, ABundle.WithRules(AllowReadonly).AndTopic(Derived).Decide(job).Reason);
        var required = Derived.Replace("source:", "required: true, source:", StringComparison.Ordinal);
        Assert.Equal(ReasonCodes.LabelMissing, ABundle.WithRules(AllowReadonly).AndTopic(required).Decide(job).Reason);
    }

    [Fact]
    public void A_producer_may_state_a_derived_label_but_only_the_same()
    {
        var bundle = ABundle.WithRules(AllowAll).AndTopic(Derived);
        var job = AJob.ToTest().WithPayload("""{"do":{"cmd":["ls"]}}""");

        Assert.Equal(Verdict.Allow, bundle.Decide(job.WithLabel("class", "readonly")).Verdict);
        Assert.Equal(ReasonCodes.LabelConflict, bundle.Decide(job.WithLabel("class", "mutating")).Reason);
    }

    [Fact]
    public void A_path_may_lead_through_arrays_and_escaped_names()
    {
        const string Topic = "labels: {class: {source: payload, derive: {path: /a~1b/1/c~0d, table: [{exact: [x], value: readonly}]}}}";
        var bundle = ABundle.WithRules(AllowReadonly).AndTopic(Topic);

        Assert.Equal(Verdict.Allow, bundle.Decide(AJob.ToTest().WithPayload("""{"a/b":[0,{"c~d":"x"}]}""")).Verdict);
        Assert.Equal(Verdict.Deny, bundle.Decide(AJob.ToTest().WithPayload("""{"a/b":[{"c~d":"x"}]}""")).Verdict);
    }

    [Fact]
    public void A_label_can_be_the_principal()
    {
        var bundle = ABundle
            .WithRules("id: allow, match: {labels: {team: billing}}, decision: ALLOW")
            .AndTopic("labels: {team: {source: principal}}");

        Assert.Equal(Verdict.Allow, bundle.Decide(AJob.ToTest()).Verdict);
        Assert.Equal(ReasonCodes.NoMatch, bundle.Decide(AJob.ToTest().By("ci")).Reason);
        Assert.Equal(ReasonCodes.LabelConflict, bundle.Decide(AJob.ToTest().By("ci").WithLabel("team", "billing")).Reason);
    }
}
