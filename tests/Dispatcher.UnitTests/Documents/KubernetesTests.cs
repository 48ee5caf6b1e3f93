using System.Text.RegularExpressions;
using k8s;
using k8s.Models;

namespace Dispatcher.UnitTests.Documents;

/// <summary>
/// The Kubernetes example has no field that Kubernetes does not know, hardens each pod, and names only settings, secrets and pods that
/// exist.
/// </summary>
public sealed class KubernetesTests
{
    private static readonly string Folder = Path.Combine(Repository.Root, "ops", "kubernetes");

    /// <summary>Read strictly: an unknown or repeated field is an error.</summary>
    private static List<object> Objects { get; } =
    [
        .. Directory
            .EnumerateFiles(Folder, "*.yaml")
            .Where(file => Path.GetFileName(file) != "kustomization.yaml")
            .Order(StringComparer.Ordinal)
            .SelectMany(file => KubernetesYaml.LoadAllFromString(File.ReadAllText(file), strict: true)),
    ];

    private static List<(string Name, V1PodTemplateSpec Template)> Pods { get; } =
    [
        .. Objects.OfType<V1StatefulSet>().Select(set => (set.Name(), set.Spec.Template)),
        .. Objects.OfType<V1Deployment>().Select(deployment => (deployment.Name(), deployment.Spec.Template)),
        .. Objects.OfType<V1Job>().Select(job => (job.Name(), job.Spec.Template)),
    ];

    public static TheoryData<string> PodNames => [.. Pods.Select(pod => pod.Name)];

    [Fact]
    public void Kustomization_has_every_file_but_the_migration_that_runs_before()
    {
        var listed = Lines("kustomization.yaml").Where(line => line.StartsWith("  - ", StringComparison.Ordinal) && !line.Contains('{'));

        Assert.Equal(["namespace.yaml", "network.yaml", "server.yaml", "worker-shell.yaml"], listed.Select(line => line[4..]));
        Assert.Equal(["dispatcher", "worker-shell", "migrate"], Pods.Select(pod => pod.Name));
        Assert.Equal("restricted", Objects.OfType<V1Namespace>().Single().Labels()["pod-security.kubernetes.io/enforce"]);
    }

    [Theory]
    [MemberData(nameof(PodNames))]
    public void Pod_is_hardened(string name)
    {
        var pod = Pods.Single(pod => pod.Name == name).Template.Spec;
        var container = Assert.Single(pod.Containers);

        Assert.True(pod.SecurityContext is { RunAsNonRoot: true, RunAsUser: 1654, SeccompProfile.Type: "RuntimeDefault" });
        Assert.False(pod.AutomountServiceAccountToken);
        Assert.False(pod.EnableServiceLinks);
        Assert.True(container.SecurityContext is { AllowPrivilegeEscalation: false, ReadOnlyRootFilesystem: true });
        Assert.Equal(["ALL"], container.SecurityContext.Capabilities.Drop);
        Assert.Contains("memory", container.Resources.Limits.Keys);
        Assert.All(pod.Volumes.Where(volume => volume.Secret is not null), volume => Assert.Equal(0x120, volume.Secret.DefaultMode));
        Assert.DoesNotMatch(":latest$", container.Image);
    }

    [Theory]
    [MemberData(nameof(PodNames))]
    public void Pod_sets_only_variables_that_the_program_reads_to_paths_that_are_mounted(string name)
    {
        var page = File.ReadAllText(Path.Combine(Repository.Root, "ops", "README.md"));
        var container = Pods.Single(pod => pod.Name == name).Template.Spec.Containers[0];
        var mounts = container.VolumeMounts.Select(mount => mount.MountPath).ToList();

        Assert.NotEmpty(container.Env);
        Assert.All(container.Env, variable => Assert.Contains(variable.Name.Replace("_FILE", "", StringComparison.Ordinal), page));
        Assert.All(
            container.Env.Where(variable => variable.Value.StartsWith('/')),
            variable =>
                Assert.Contains(
                    mounts,
                    mount => variable.Value == mount || variable.Value.StartsWith($"{mount}/", StringComparison.Ordinal)
                )
        );
    }

    [Theory]
    [MemberData(nameof(PodNames))]
    public void Mounts_and_volumes_match_and_the_page_makes_each_secret(string name)
    {
        var page = File.ReadAllText(Path.Combine(Folder, "README.md"));
        var pod = Pods.Single(pod => pod.Name == name).Template.Spec;
        var claims = Objects.OfType<V1StatefulSet>().Where(set => set.Name() == name).SelectMany(set => set.Spec.VolumeClaimTemplates);

        Assert.Equal(
            pod.Containers[0].VolumeMounts.Select(mount => mount.Name).Order(StringComparer.Ordinal),
            pod.Volumes.Select(volume => volume.Name).Concat(claims.Select(claim => claim.Name())).Order(StringComparer.Ordinal)
        );
        Assert.All(
            pod.Volumes.Where(volume => volume.Secret is not null),
            volume => Assert.Matches($"create secret (generic|tls) {Regex.Escape(volume.Secret.SecretName)} ", page)
        );
        Assert.All(
            pod.Volumes.Where(volume => volume.ConfigMap is not null),
            volume => Assert.Contains($"create configmap {volume.ConfigMap.Name} ", page, StringComparison.Ordinal)
        );
    }

    [Fact]
    public void Selectors_and_ports_name_pods_that_exist()
    {
        var labels = Pods.Select(pod => pod.Template.Metadata.Labels).ToList();
        var selectors = Objects
            .OfType<V1Service>()
            .Select(service => service.Spec.Selector)
            .Concat(Objects.OfType<V1PodDisruptionBudget>().Select(budget => budget.Spec.Selector.MatchLabels))
            .Concat(Objects.OfType<V1NetworkPolicy>().Select(policy => policy.Spec.PodSelector.MatchLabels))
            .Concat(Objects.OfType<V1Deployment>().Select(deployment => deployment.Spec.Selector.MatchLabels))
            .OfType<IDictionary<string, string>>()
            .ToList();
        var server = Pods.Single(pod => pod.Name == "dispatcher").Template.Spec.Containers[0];

        Assert.Equal(6, selectors.Count);
        Assert.All(selectors, selector => Assert.Contains(labels, pod => selector.All(pod.Contains)));
        Assert.Equal("https", Assert.Single(server.Ports).Name);
        Assert.All(
            Objects.OfType<V1Service>().SelectMany(service => service.Spec.Ports),
            port => Assert.Equal("https", port.TargetPort.Value)
        );
        Assert.All(
            new[] { server.StartupProbe, server.LivenessProbe, server.ReadinessProbe },
            probe => Assert.True(probe.HttpGet is { Scheme: "HTTPS", Port.Value: "https" })
        );
        Assert.Contains(
            server.Env,
            variable => variable.Name == "DISPATCHER_URLS" && variable.Value.EndsWith($":{server.Ports[0].ContainerPort}")
        );
    }

    private static string[] Lines(string file) => File.ReadAllLines(Path.Combine(Folder, file));
}
