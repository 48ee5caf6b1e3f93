using Dispatcher.Contracts;
using Dispatcher.Policies.Model;

namespace Dispatcher.UnitTests.Policies.Evaluating;

public class LabelSourceTests
{
    private const string AllowReadonly = "id: allow, match: {labels: {class: readonly}}, decision: ALLOW";
    private const string AllowAll = "id: allow, match: {topic: test.run}, decision: ALLOW";
    private const string Derived = """
        labels: {class: {values: [readonly, mutating], source: payload, derive: {path: /do/cmd, table: [
          {exact: [git, --version], value: readonly}, {prefix: [ls], value: readonly}, {exact: [rm], value: mutating}], default: mutating}}}
        """;

    [Fact]
    public void Denies_a_job_when_a_required_label_is_missing()
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
    public void Denial_names_the_nearest_known_word(string topic, string label, string value, string detail)
    {
        var bundle = ABundle.WithRules(AllowAll).AndTopic("labels: {env: {values: [dev, prod], required: true}}");

        Assert.Equal(detail, bundle.Decide(AJob.OnTopic(topic).WithLabel(label, value)).Detail);
    }

    [Fact]
    public void Denial_without_a_matching_rule_names_the_explain_command()
    {
        var decision = ABundle.WithRules(AllowReadonly).AndTopic("labels: {class: {}}").Decide(AJob.ToTest());

        Assert.Contains("dispatcher jobs explain", decision.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void Denies_a_job_when_a_label_value_is_not_registered()
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
    public void First_matching_row_derives_a_label_from_the_payload(string payload, bool isReadonly)
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
    public void Underivable_label_is_absent_even_if_the_producer_states_it(string payload)
    {
        var job = AJob.ToTest().WithPayload(payload).WithLabel("class", "readonly");

        Assert.Equal(ReasonCodes.NoMatch, ABundle.WithRules(AllowReadonly).AndTopic(Derived).Decide(job).Reason);
        var required = Derived.Replace("source:", "required: true, source:", StringComparison.Ordinal);
        Assert.Equal(ReasonCodes.LabelMissing, ABundle.WithRules(AllowReadonly).AndTopic(required).Decide(job).Reason);
    }

    [Fact]
    public void Producer_may_state_only_the_derived_value_of_a_label()
    {
        var bundle = ABundle.WithRules(AllowAll).AndTopic(Derived);
        var job = AJob.ToTest().WithPayload("""{"do":{"cmd":["ls"]}}""");

        Assert.Equal(Verdict.Allow, bundle.Decide(job.WithLabel("class", "readonly")).Verdict);
        Assert.Equal(ReasonCodes.LabelConflict, bundle.Decide(job.WithLabel("class", "mutating")).Reason);
    }

    [Fact]
    public void Path_may_contain_array_indexes_and_escaped_names()
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
