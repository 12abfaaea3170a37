"""Every rule of the Kubernetes check finds its true sample and leaves its false one alone."""

from __future__ import annotations

import pytest

from assaymark.checks.infrastructure.workloads.kubernetes import make
from assaymark.checks.infrastructure.workloads.kubernetes_rules import RULES
from assaymark.checks.settings import CheckSettings, Secret
from assaymark.model.check import Checked, Dialect, Input, Outcome, Part, Unchecked
from assaymark.model.digest import sha256
from assaymark.model.rules import catalogue

CHECK = make(CheckSettings(cache_dir="", installation_key=Secret(b"k")))
HARDENING = {"root-not-forbidden", "escalation-not-forbidden", "capabilities-kept", "seccomp-not-set", "root-filesystem-writable"}
SHORT = "sha256:" + "0" * 64


def outcome(text: str | bytes) -> Outcome:
    content = text.encode() if isinstance(text, str) else text
    ((_, found),) = CHECK.run([Input(sha256(content), Dialect("kubernetes"), (Part("", content),))])
    return found


def rules_of(text: str) -> set[str]:
    found = outcome(text)
    assert isinstance(found, Checked), found
    return {sighting.rule.removeprefix("kubernetes/") for sighting in found.sightings}


def pod(spec: str = "", container: str = "", meta: str = "") -> str:
    """A pod that is hardened, with pieces added."""
    return f"""apiVersion: v1
kind: Pod
metadata: {{name: p, annotations: {{{meta}}}}}
spec:
  serviceAccountName: shop
  {spec}
  containers:
    - name: c
      image: registry.example/shop:1.2@{SHORT}
      resources: {{limits: {{memory: 1Gi, cpu: "1"}}}}
      {container}
"""


GOOD_CONTEXT = (
    "runAsNonRoot: true, runAsUser: 10001, allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, "
    "capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}"
)


def context(settings: str, *, without: str = "") -> str:
    kept = ", ".join(part for part in GOOD_CONTEXT.split(", ") if not without or not part.startswith(without))
    return pod(container=f"securityContext: {{{', '.join(part for part in (settings, kept) if part)}}}")


GOOD = context("")


def mounted(path: str, extra: str = "") -> str:
    mounts = f"volumeMounts: [{{name: v, mountPath: /v{extra}}}]\n      securityContext: {{{GOOD_CONTEXT}}}"
    return pod(f"volumes: [{{name: v, hostPath: {{path: {path}}}}}]", mounts)


def role(rule: str, kind: str = "ClusterRole") -> str:
    return f"apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata: {{name: r}}\nrules:\n  - {{{rule}}}\n"


def binding(subject: str, name: str = "view", kind: str = "ClusterRoleBinding") -> str:
    return (
        f"apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata: {{name: b}}\n"
        f"roleRef: {{kind: ClusterRole, name: {name}}}\nsubjects:\n  - {{{subject}}}\n"
    )


def command(*words: str, more: str = "") -> str:
    listed = ", ".join(f'"{word}"' for word in words)
    return pod(container=f"command: [{listed}]\n      securityContext: {{{GOOD_CONTEXT}}}{more}")


def variable(name: str, value: str) -> str:
    return pod(container=f'env: [{{name: {name}, value: "{value}"}}]\n      securityContext: {{{GOOD_CONTEXT}}}')


API = ("kube-apiserver", "--authorization-mode=Node,RBAC", "--audit-log-path=/var/log/audit", "--anonymous-auth=false")
SECRETS = 'apiGroups: [""], resources: [secrets], verbs: [get, list]'
INGRESS = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i, annotations: {%s}}\nspec: {rules: [{host: a.example}]%s}\n"
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {selector: {app: s}, %s}\n"
POLICY = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: n}\nspec: {podSelector: {}, ingress: [%s]}\n"
NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: n, labels: {pod-security.kubernetes.io/enforce: %s}}\n"
PSP = "apiVersion: policy/v1beta1\nkind: PodSecurityPolicy\nmetadata: {name: p}\nspec: {%s}\n"
KUBELET = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n%s\n"
ENCRYPTION = "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources: [{resources: [secrets], providers: [%s]}]\n"
KUSTOMIZE = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [%s]\n"

SAMPLES: list[tuple[str, str, str]] = [
    ("privileged", context("privileged: true"), context("privileged: false")),
    ("privileged", context("windowsOptions: {hostProcess: true}"), context("windowsOptions: {runAsUserName: app}")),
    ("host-pid", pod("hostPID: true"), pod("hostPID: false")),
    ("host-ipc", pod("hostIPC: true"), pod("hostIPC: false")),
    ("host-network", pod("hostNetwork: true"), pod("hostNetwork: false")),
    ("container-socket", mounted("/var/run/docker.sock"), mounted("/srv/docker.sock.d")),
    ("container-socket", mounted("/run/containerd/containerd.sock", ", readOnly: true"), mounted("/run/shop/shop.sock")),
    ("host-path", mounted("/etc"), mounted("/etc/localtime")),
    ("host-path", mounted("/"), pod("volumes: [{name: v, emptyDir: {}}]")),
    (
        "host-path",
        "apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: v}\nspec: {hostPath: {path: /etc}}\n",
        "apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: v}\nspec: {nfs: {path: /etc, server: a}}\n",
    ),
    ("host-port", pod(container="ports: [{containerPort: 80, hostPort: 80}]"), pod(container="ports: [{containerPort: 80}]")),
    ("capability-added", context("x: {}", without="capabilities").replace("x: {}", "capabilities: {add: [SYS_ADMIN]}"), GOOD),
    (
        "unsafe-sysctl",
        pod("securityContext: {sysctls: [{name: kernel.msgmax, value: '1'}]}"),
        pod("securityContext: {sysctls: [{name: net.ipv4.tcp_syncookies, value: '1'}]}"),
    ),
    ("proc-mount", context("procMount: Unmasked"), context("procMount: Default")),
    ("mount-propagation", mounted("/srv/a", ", mountPropagation: Bidirectional"), mounted("/srv/a", ", mountPropagation: HostToContainer")),
    ("root-user", context("runAsUser: 0", without="runAsUser"), GOOD),
    ("root-user", pod("securityContext: {runAsUser: 0}"), pod("securityContext: {runAsUser: 1000}")),
    ("root-user", context("runAsNonRoot: false", without="runAs"), GOOD),
    ("root-not-forbidden", context("", without="runAs"), GOOD),
    ("escalation-allowed", context("allowPrivilegeEscalation: true", without="allow"), GOOD),
    ("escalation-not-forbidden", context("", without="allow"), GOOD),
    ("capabilities-kept", context("", without="capabilities"), GOOD),
    ("seccomp-not-set", context("", without="seccomp"), GOOD),
    ("seccomp-off", context("seccompProfile: {type: Unconfined}", without="seccomp"), GOOD),
    (
        "seccomp-off",
        pod("securityContext: {seccompProfile: {type: Unconfined}}"),
        pod("securityContext: {seccompProfile: {type: Localhost}}"),
    ),
    (
        "apparmor-off",
        pod(meta="container.apparmor.security.beta.kubernetes.io/c: unconfined"),
        pod(meta="container.apparmor.security.beta.kubernetes.io/c: runtime/default"),
    ),
    ("selinux-changed", context("seLinuxOptions: {type: spc_t}"), context("seLinuxOptions: {type: container_t, level: 's0'}")),
    ("root-filesystem-writable", context("", without="readOnly"), GOOD),
    ("root-filesystem-writable", context("readOnlyRootFilesystem: false", without="readOnly"), GOOD),
    ("no-memory-limit", GOOD.replace("memory: 1Gi, ", ""), GOOD),
    ("no-cpu-bounds", GOOD.replace(', cpu: "1"', ""), GOOD),
    ("image-unpinned", GOOD.replace(f":1.2@{SHORT}", ":latest"), GOOD),
    ("image-unpinned", GOOD.replace(f":1.2@{SHORT}", ""), GOOD),
    (
        "image-unpinned",
        KUSTOMIZE % "a.yaml" + "images: [{name: a, newTag: latest}]\n",
        KUSTOMIZE % "a.yaml" + "images: [{name: a, newTag: v1.2}]\n",
    ),
    ("image-without-digest", GOOD.replace(f"@{SHORT}", ""), GOOD),
    (
        "kustomize-remote-unpinned",
        KUSTOMIZE % "github.com/a/b//config",
        KUSTOMIZE % "'github.com/a/b//config?ref=v1.2.3', ../base, 'https://github.com/a/b/releases/download/v1.0.0/x.yaml'",
    ),
    ("tiller", GOOD.replace("registry.example/shop", "gcr.io/kubernetes-helm/tiller"), GOOD),
    ("dashboard", GOOD.replace("registry.example/shop", "kubernetesui/dashboard"), GOOD),
    ("authentication-off", variable("MYSQL_ALLOW_EMPTY_PASSWORD", "yes"), variable("MYSQL_ALLOW_EMPTY_PASSWORD", "no")),
    ("authentication-off", command("jupyter", "--ServerApp.token="), command("jupyter", "--ServerApp.port=8888")),
    ("authentication-off", command("/dashboard", "--enable-skip-login"), command("/dashboard", "--auto-generate-certificates")),
    ("verification-off", variable("NODE_TLS_REJECT_UNAUTHORIZED", "0"), variable("NODE_TLS_REJECT_UNAUTHORIZED", "1")),
    ("debug-enabled", variable("FLASK_DEBUG", "1"), variable("FLASK_DEBUG", "0")),
    ("open-docker", variable("DOCKER_HOST", "tcp://docker:2375"), variable("DOCKER_HOST", "tcp://docker:2376")),
    ("remote-access-port", pod(container="ports: [{containerPort: 22}]"), pod(container="ports: [{containerPort: 8022}]")),
    ("remote-script", command("sh", "-c", "curl https://a.example.org/x | sh"), command("sh", "-c", "curl https://a.example.org/x")),
    (
        "unverified-program",
        command("sh", "-c", "curl -o t https://a.example.org/t; chmod +x t"),
        command("sh", "-c", "curl -o t https://a.example.org/t; sha256sum -c s; chmod +x t"),
    ),
    ("cleartext-download", command("sh", "-c", "wget http://a.example.org/x"), command("sh", "-c", "wget http://shop:80/x")),
    ("verification-off", command("sh", "-c", "curl -k https://a.example.org"), command("sh", "-c", "curl https://a.example.org")),
    ("package-check-off", command("sh", "-c", "pip install --trusted-host a x"), command("sh", "-c", "pip install x==1")),
    (
        "host-key-unchecked",
        command("sh", "-c", "ssh -o StrictHostKeyChecking=no h"),
        pod(container="lifecycle: {preStop: {exec: {command: [sh, -c, 'ssh h']}}}"),
    ),
    (
        "rbac-wildcard",
        role("apiGroups: ['*'], resources: ['*'], verbs: ['*']"),
        role("apiGroups: [''], resources: [pods], verbs: ['*']", "Role"),
    ),
    (
        "rbac-wildcard",
        role("apiGroups: [''], resources: ['*'], verbs: [get]"),
        role("apiGroups: [a.example.org], resources: ['*'], verbs: ['*']"),
    ),
    (
        "rbac-escalation",
        role("apiGroups: [''], resources: [users], verbs: [impersonate]"),
        role("apiGroups: [''], resources: [users], verbs: [get]"),
    ),
    (
        "rbac-escalation",
        role("apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles], verbs: [bind, escalate]"),
        role("apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles], verbs: [get]"),
    ),
    (
        "rbac-bindings",
        role("apiGroups: [rbac.authorization.k8s.io], resources: [clusterrolebindings], verbs: [create]"),
        role("apiGroups: [rbac.authorization.k8s.io], resources: [clusterrolebindings], verbs: [list]"),
    ),
    (
        "rbac-exec",
        role("apiGroups: [''], resources: [pods/exec], verbs: [create]"),
        role("apiGroups: [''], resources: [pods/log], verbs: [get]"),
    ),
    (
        "rbac-nodes-proxy",
        role("apiGroups: [''], resources: [nodes/proxy], verbs: [get, create]"),
        role("apiGroups: [''], resources: [nodes/metrics], verbs: [get]"),
    ),
    (
        "rbac-tokens",
        role("apiGroups: [''], resources: [serviceaccounts/token], verbs: [create]"),
        role("apiGroups: [''], resources: [serviceaccounts], verbs: [create]"),
    ),
    (
        "rbac-certificates",
        role("apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests/approval], verbs: [update]"),
        role("apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests], verbs: [create]"),
    ),
    (
        "rbac-webhooks",
        role("apiGroups: [admissionregistration.k8s.io], resources: [mutatingwebhookconfigurations], verbs: [patch]"),
        role("apiGroups: [admissionregistration.k8s.io], resources: [mutatingwebhookconfigurations], verbs: [patch], resourceNames: [own]"),
    ),
    ("rbac-secrets", role(SECRETS), role(SECRETS + ", resourceNames: [own]")),
    ("rbac-secrets", role(SECRETS, "Role"), role("apiGroups: [''], resources: [configmaps], verbs: [get]")),
    (
        "rbac-workloads",
        role("apiGroups: [apps], resources: [deployments], verbs: [create]"),
        role("apiGroups: [apps], resources: [deployments], verbs: [get]"),
    ),
    ("cluster-admin-bound", binding("kind: User, name: ana", "cluster-admin"), binding("kind: User, name: ana")),
    ("cluster-admin-bound", binding("kind: Group, name: 'system:masters'"), binding("kind: Group, name: developers")),
    ("bound-to-everybody", binding("kind: Group, name: 'system:unauthenticated'"), binding("kind: Group, name: 'system:nodes'")),
    (
        "bound-to-everybody",
        binding("kind: Group, name: 'system:authenticated'", "edit"),
        binding("kind: Group, name: 'system:unauthenticated'", "system:public-info-viewer"),
    ),
    ("default-account-bound", binding("kind: ServiceAccount, name: default"), binding("kind: ServiceAccount, name: shop")),
    (
        "token-mounted",
        GOOD.replace("serviceAccountName: shop", ""),
        GOOD.replace("serviceAccountName: shop", "automountServiceAccountToken: false"),
    ),
    (
        "token-mounted",
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: default}\n",
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: default}\nautomountServiceAccountToken: false\n",
    ),
    ("ingress-cleartext", INGRESS % ("", ""), INGRESS % ("", ", tls: [{hosts: [a.example]}]")),
    (
        "ingress-cleartext",
        INGRESS % ("nginx.ingress.kubernetes.io/ssl-redirect: 'false'", ", tls: [{hosts: [a.example]}]"),
        INGRESS % ("alb.ingress.kubernetes.io/certificate-arn: a", ""),
    ),
    (
        "ingress-snippet",
        INGRESS % ("nginx.ingress.kubernetes.io/server-snippet: 'alias /x;'", ""),
        INGRESS % ("nginx.ingress.kubernetes.io/rewrite-target: /x", ""),
    ),
    (
        "ingress-injection",
        INGRESS % ("nginx.ingress.kubernetes.io/auth-url: 'http://a.example.org/#;} x'", ""),
        INGRESS % ("nginx.ingress.kubernetes.io/auth-url: 'https://a.example.org/x?y=1'", ""),
    ),
    ("service-external-address", SERVICE % "externalIPs: [203.0.113.9]", SERVICE % "ports: [{port: 80}]"),
    (
        "service-open",
        SERVICE % "type: LoadBalancer, loadBalancerSourceRanges: [0.0.0.0/0]",
        SERVICE % "loadBalancerSourceRanges: [10.0.0.0/8]",
    ),
    ("service-open", SERVICE % "type: NodePort", SERVICE % "type: ClusterIP"),
    ("network-policy-open", POLICY % "{}", POLICY % "{from: [{podSelector: {}}]}"),
    (
        "network-policy-open",
        POLICY % "{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}",
        POLICY % "{from: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}]}",
    ),
    ("namespace-privileged", NAMESPACE % "privileged", NAMESPACE % "restricted"),
    ("pod-policy-open", PSP % "privileged: true", PSP % "privileged: false"),
    ("pod-policy-open", PSP % "runAsUser: {rule: RunAsAny}", PSP % "runAsUser: {rule: MustRunAsNonRoot}, allowedCapabilities: [CHOWN]"),
    ("anonymous-access", command(*API[:-1], "--anonymous-auth=true"), command(*API)),
    (
        "anonymous-access",
        KUBELET % "authentication: {anonymous: {enabled: true}}",
        KUBELET % "authentication: {anonymous: {enabled: false}}",
    ),
    ("authorisation-off", command(API[0], "--authorization-mode=AlwaysAllow", API[2]), command(*API)),
    ("authorisation-off", KUBELET % "authorization: {mode: AlwaysAllow}", KUBELET % "authorization: {mode: Webhook}"),
    ("insecure-port", command(*API, "--insecure-port=8080"), command(*API, "--insecure-port=0")),
    ("insecure-port", command("kubelet", "--read-only-port=10255"), command("kubelet", "--read-only-port=0")),
    ("static-credentials", command(*API, "--basic-auth-file=/etc/u"), command(*API)),
    ("static-credentials", command(*API, "--token-auth-file=/etc/t"), command(*API, "--client-ca-file=/etc/c")),
    ("admission-off", command(*API, "--enable-admission-plugins=AlwaysAdmit"), command(*API, "--enable-admission-plugins=NodeRestriction")),
    ("token-lookup-off", command(*API, "--service-account-lookup=false"), command(*API, "--service-account-lookup=true")),
    ("control-plane-cleartext", command(*API, "--kubelet-https=false"), command(*API, "--kubelet-https=true")),
    ("control-plane-exposed", command("kube-scheduler", "--bind-address=0.0.0.0"), command("kube-scheduler", "--bind-address=127.0.0.1")),
    ("etcd-open", command("etcd", "--client-cert-auth=false"), command("etcd", "--client-cert-auth=true")),
    (
        "etcd-open",
        command("etcd", "--listen-client-urls=http://10.0.0.1:2379"),
        command("etcd", "--listen-client-urls=https://10.0.0.1:2379,http://127.0.0.1:2379"),
    ),
    ("weak-ciphers", command(*API, "--tls-cipher-suites=TLS_RSA_WITH_3DES_EDE_CBC_SHA"), command(*API, "--tls-min-version=VersionTLS12")),
    ("profiling", command("kube-scheduler", "--profiling=true"), command("kube-scheduler", "--profiling=false")),
    (
        "control-plane-incomplete",
        command("etcd", "--data-dir=/d", "--cert-file=/c"),
        command("etcd", "--cert-file=/c", "--client-cert-auth", "--peer-client-cert-auth=true"),
    ),
    (
        "shared-controller-rights",
        command("kube-controller-manager", "--use-service-account-credentials=false"),
        command("kube-controller-manager", "--use-service-account-credentials=true"),
    ),
    ("idle-connections", KUBELET % "streamingConnectionIdleTimeout: 0s", KUBELET % "streamingConnectionIdleTimeout: 5m"),
    ("certificates-not-rotated", command("kubelet", "--rotate-certificates=false"), command("kubelet", "--rotate-certificates=true")),
    ("audit-off", command(API[0], API[1]), command(*API)),
    ("secrets-unencrypted", ENCRYPTION % "{identity: {}}", ENCRYPTION % "{aescbc: {keys: []}}, {identity: {}}"),
]


def test_every_rule_of_kubernetes_has_a_sample() -> None:
    assert {rule for rule, _, _ in SAMPLES} == set(RULES)


@pytest.mark.parametrize(("rule", "bad", "good"), SAMPLES, ids=[f"{rule}-{n}" for n, (rule, _, _) in enumerate(SAMPLES)])
def test_kubernetes_rule_finds_the_bad_sample_and_leaves_the_good_one(rule: str, bad: str, good: str) -> None:
    assert rule in rules_of(bad)
    assert rule not in rules_of(good)


def test_kubernetes_a_hardened_pod_is_clean() -> None:
    assert outcome(GOOD) == Checked()


def test_kubernetes_rules_and_the_shipped_data_say_the_same() -> None:
    shipped = {r.removeprefix("kubernetes/"): info for r, info in catalogue().rules.items() if r.startswith("kubernetes/")}
    assert set(shipped) == set(RULES)
    assert {n: (i.severity, i.confidence) for n, i in shipped.items()} == {n: (r.severity, r.confidence) for n, r in RULES.items()}


def test_kubernetes_what_nobody_hardened_is_one_finding_with_a_witness_per_setting() -> None:
    found = outcome(pod())
    assert isinstance(found, Checked)
    assert {each.rule.removeprefix("kubernetes/") for each in found.sightings} == HARDENING
    assert {(each.site.resource, each.site.attribute) for each in found.sightings} == {("Pod/p container c", "securityContext")}  # type: ignore[union-attr]
    assert {catalogue().class_of(each.rule) for each in found.sightings} == {"unnecessary-privilege"}


def test_kubernetes_a_request_about_one_missing_setting_does_not_hide_the_others() -> None:
    one = outcome(pod(meta="checkov.io/skip1: CKV_K8S_20=reviewed"))
    assert isinstance(one, Checked)
    assert [each.suppression for each in one.sightings] == [None] * 5
    assert [each.notes for each in one.sightings if each.rule == "kubernetes/escalation-not-forbidden"] == [
        (("overlooked", "checkov.io/skip1: CKV_K8S_20=reviewed"),)
    ]
    every = outcome(pod(meta="kube-linter.io/ignore-all: reviewed"))
    assert isinstance(every, Checked)
    assert None not in [each.suppression for each in every.sightings]


@pytest.mark.parametrize(
    "meta",
    [
        "checkov.io/skip1: CKV_K8S_16=reviewed",
        "ignore-check.kube-linter.io/privileged-container: reviewed",
        "ignore-check.kube-linter.io/privileged: reviewed",
    ],
)
def test_kubernetes_annotations_of_other_tools_are_recorded(meta: str) -> None:
    found = outcome(pod(container=f"securityContext: {{privileged: true, {GOOD_CONTEXT}}}", meta=meta))
    assert isinstance(found, Checked)
    (only,) = [each for each in found.sightings if each.rule == "kubernetes/privileged"]
    assert only.suppression is not None
    assert (only.suppression.marker, only.suppression.line) == (meta, 3)


@pytest.mark.parametrize(
    "comment",
    [
        "# trivy:ignore:AVD-KSV-0017",
        "# trivy:ignore:KSV017",
        "# checkov:skip=CKV_K8S_16:reviewed",
        "# kics-scan ignore-line",
        "# assay:allow[privileged]",
    ],
)
def test_kubernetes_comments_of_other_tools_are_recorded(comment: str) -> None:
    text = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n    - name: c\n      image: a:1\n      securityContext:\n"
    found = outcome(f"{text}        {comment}\n        privileged: true\n")
    assert isinstance(found, Checked)
    (only,) = [each for each in found.sightings if each.rule == "kubernetes/privileged"]
    assert only.suppression is not None
    assert only.fix is not None
    assert only.fix.replacement == "false"
    assert only.span is not None
    assert only.span.start_line == 10


CHART = """{{- if .Values.enabled }}
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: {{ include "agent.fullname" . }}
  labels:
    {{- include "agent.labels" . | nindent 4 }}
spec:
  template:
    spec:
      hostNetwork: true
      {{- if .Values.hostPID }}
      hostPID: true
      {{- end }}
      containers:
        - name: {{ .Chart.Name }}
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
          securityContext:
            {{- toYaml .Values.securityContext | nindent 12 }}
            privileged: true
{{- end }}
"""


def test_kubernetes_a_chart_is_read_as_far_as_it_is_literal() -> None:
    found = outcome(CHART)
    assert isinstance(found, Checked)
    told = {(each.rule, each.confidence, each.span.start_line if each.span else 0) for each in found.sightings}
    assert told == {
        ("kubernetes/host-network", "high", 11),
        ("kubernetes/host-pid", "low", 13),
        ("kubernetes/privileged", "high", 20),
    }
    assert {each.site.resource for each in found.sightings} == {  # type: ignore[union-attr]
        "DaemonSet/{{include agent.fullname .}}",
        "DaemonSet/{{include agent.fullname .}} container {{.Chart.Name}}",
    }


def test_kubernetes_a_template_that_is_no_yaml_is_counted_as_template() -> None:
    assert outcome("apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n {{ x }}: [\n") == Checked(skipped="template")


@pytest.mark.parametrize(
    ("content", "skipped"),
    [
        ("a: b\n", "other-format"),
        ("", "other-format"),
        ("on: push\njobs:\n  a:\n    steps:\n      - run: |\n          apiVersion: v1\n          kind: Pod\n", "other-format"),
        ('{"swagger": "2.0", "x": {"apiVersion": 1, "kind": 2}}', "other-format"),
        ("apiVersion: v2\nname: chart\nkinds: [a]\n", "other-format"),
        ("apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n", "other-kind"),
        ("apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec: {containers: {}}\n: [\n", "other-kind"),
    ],
)
def test_kubernetes_other_files_are_told_apart_by_their_content(content: str, skipped: str) -> None:
    assert outcome(content) == Checked(skipped=skipped)


def test_kubernetes_json_lists_and_many_documents_are_read() -> None:
    item = '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"hostPID": true}}'
    body = f'{{"apiVersion": "v1", "kind": "List", "items": [{item}]}}'
    assert rules_of(body) == {"host-pid"}
    assert rules_of("\t" + body.replace("{", "{\n\t")) == {"host-pid"}
    assert rules_of("# c\n---\n" + NAMESPACE % "restricted" + "---\n" + pod("hostPID: true")) == HARDENING | {"host-pid"}
    assert rules_of("\n".join("  " + line for line in pod("hostPID: true").split("\n"))) == HARDENING | {"host-pid"}


def test_kubernetes_every_kind_with_a_pod_template_is_read() -> None:
    template = "{spec: {containers: [{name: c, image: a:1, securityContext: {privileged: true}}]}}"
    for kind in ("Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "ReplicationController", "Job", "Rollout", "DeploymentConfig"):
        assert "privileged" in rules_of(f"apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: a}}\nspec: {{template: {template}}}\n"), kind
    assert "privileged" in rules_of(
        f"apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: a}}\nspec: {{jobTemplate: {{spec: {{template: {template}}}}}}}\n"
    )


def test_kubernetes_a_kustomization_may_leave_out_what_it_is() -> None:
    content = b"# base\nimages: [{name: a, newTag: latest}]\n"
    ((_, found),) = CHECK.run([Input(sha256(content), Dialect("kustomization"), (Part("", content),))])
    assert isinstance(found, Checked)
    assert [(each.rule, each.span.start_line if each.span else 0) for each in found.sightings] == [("kubernetes/image-unpinned", 2)]
    assert outcome(content) == Checked(skipped="other-format")


def test_kubernetes_objects_of_a_template_of_openshift_are_read() -> None:
    item = "{apiVersion: v1, kind: Pod, metadata: {name: '${N}'}, spec: {hostPID: true}}"
    text = f"apiVersion: template.openshift.io/v1\nkind: Template\nobjects:\n  - {item}\n"
    assert rules_of(text) == {"host-pid"}


def test_kubernetes_a_patch_is_not_blamed_for_what_it_does_not_say() -> None:
    patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {template: {spec: {containers: [{name: c, env: []}]}}}\n"
    assert outcome(patch) == Checked()


@pytest.mark.parametrize(
    ("content", "reason", "line"),
    [
        (b"apiVersion: v1\nkind: Pod\nspec: [\n", "syntax", 4),
        (b"a: b\n---\napiVersion: v1\nkind: Pod\nspec: {a: *b}\n", "syntax", 5),
        (b"apiVersion: v1\nkind: Pod\nname: \xff\n", "encoding", 3),
        (b"apiVersion: v1\nkind: Pod\nx: " + b"[" * 1000 + b"]" * 1000, "size", 3),
        (b"apiVersion: v1\nkind: Pod\n" + b"a: b\n" * 300_000, "size", 1),
        (b"apiVersion: v1\nkind: Pod\n---\n" * 5_000, "size", 12_000),
        (b"apiVersion: v1\nkind: Service\nspec: {externalIPs: [" + b"1.2.3.4," * 3_000 + b"]}", "size", 0),
    ],
    ids=["open-bracket", "unknown-alias", "latin-1", "thousand-deep", "megabytes", "document-flood", "flaw-flood"],
)
def test_kubernetes_what_cannot_be_read_is_unchecked_with_its_line(content: bytes, reason: str, line: int) -> None:
    found = outcome(content)
    assert isinstance(found, Unchecked), found
    assert (found.reason_class, found.line) == (reason, line), found


def test_kubernetes_billion_laughs_cost_what_they_weigh() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"b{i}: &a{i + 1} [{', '.join([f'*a{i}'] * 9)}]\n" for i in range(60))
    lists = "apiVersion: v1\nkind: List\nitems: &l [{kind: List, items: *l}, {kind: List, items: *l}]\n"
    assert outcome(f"apiVersion: v1\nkind: Pod\nspec: {{containers: *a60}}\n{bomb}".replace("spec:", f"{bomb}spec:")) == Checked()
    assert outcome(lists) == Checked(skipped="other-format")


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("a/b.yaml", "kubernetes"),
        ("a.yml", "kubernetes"),
        ("a.json", "kubernetes"),
        ("a/kustomization.yaml", "kustomization"),
        ("package.json", None),
        ("a.py", None),
    ],
)
def test_kubernetes_files_are_selected_by_suffix(path: str, dialect: str | None) -> None:
    assert CHECK.select(path) == dialect
