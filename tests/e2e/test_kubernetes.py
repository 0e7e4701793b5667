"""deploy/kubernetes and deploy/docker: judged by the schemas of Kubernetes' API, and by what Rondel needs of them. No cluster is there."""
import json
import os
import re
import shutil
import subprocess
import venv

import pytest
import yaml

import manifests
from cluster import BUILD, ROOT

COMPONENTS = ("ingress", "monitoring", "backup")
SPARE_SECONDS = 20   # What both programs give the rest of their end, after the grace of requests.


def rendered(components=()):
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is not installed")
    version = subprocess.run(["kubectl", "version", "--client", "--output", "json"], capture_output=True, text=True, timeout=300).stdout
    if "kustomizeVersion" not in version:
        pytest.skip("kubectl is older than components and replacements are (1.24)")
    return manifests.render(components)


@pytest.fixture(scope="module", params=[(), COMPONENTS], ids=["base", "all components"])
def documents(request):
    return rendered(request.param)


def of_kind(documents, kind):
    return {document["metadata"]["name"]: document for document in documents if document["kind"] == kind}


def pod_templates(documents):
    for document in documents:
        if document["kind"] in ("Deployment", "StatefulSet", "Job"):
            yield document["metadata"]["name"], document["spec"]["template"]


def containers(documents):
    for name, template in pod_templates(documents):
        for container in template["spec"]["containers"]:
            yield name, template, container


def variables(container):
    return {entry["name"]: entry.get("value") for entry in container["env"]}


def judge():
    """A Python that knows the schemas; what it needs is installed once."""
    folder = BUILD / "kubernetes-schemas"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    installed = subprocess.run([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "kubernetes-validate==1.37.0"],
                               capture_output=True, text=True, timeout=300)
    if installed.returncode != 0:
        pytest.skip("PyPI does not answer: " + installed.stderr[-200:])
    return python


def faults(documents):
    judged = subprocess.run([str(judge()), str(ROOT / "tests/e2e/manifests.py")], input=json.dumps(documents), capture_output=True, text=True, timeout=300)
    assert judged.returncode == 0, judged.stderr
    return judged.stdout.splitlines()


def test_every_document_fits_its_schema(documents):
    assert faults([*documents, manifests.alerts()]) == []


def test_the_judge_sees_what_is_wrong():
    """One fault each, as an operator's slip of the pen makes it."""
    documents = rendered(COMPONENTS)

    def break_it(kind, name, change):
        broken = json.loads(json.dumps(of_kind(documents, kind)[name]))
        change(broken["spec"])
        return broken

    broken = [break_it("StatefulSet", "rondel-node-a", lambda spec: spec["updateStrategy"].update(typ="OnDelete")),
              break_it("Deployment", "rondel-gateway", lambda spec: spec.update(replicas="two")),
              break_it("NetworkPolicy", "rondel-node", lambda spec: spec.update(podselector={})),
              break_it("PodDisruptionBudget", "rondel-node", lambda spec: spec.update(maxUnavailble=1)),
              break_it("Cluster", "rondel-postgresql", lambda spec: spec["postgresql"]["synchronous"].update(dataDurability="always")),
              break_it("Cluster", "rondel-postgresql", lambda spec: spec["postgresql"]["synchronous"].update(durability="required")),
              break_it("Certificate", "rondel-s3", lambda spec: spec.pop("secretName")),
              break_it("Certificate", "rondel-s3", lambda spec: spec["issuerRef"].update(nam="x")),
              break_it("PodMonitor", "rondel-node", lambda spec: spec.update(joblabel="app")),
              break_it("ScheduledBackup", "rondel-postgresql", lambda spec: spec.pop("schedule")),
              break_it("Ingress", "rondel", lambda spec: spec["rules"][0]["http"]["paths"][0].pop("pathType"))]
    found = faults(broken)
    for number, document in enumerate(broken):
        name = f"{document['kind']} {document['metadata']['name']}"
        assert any(fault.startswith(name) for fault in found), (number, name, found)
    assert any("always" in fault for fault in found) and any("durability" in fault for fault in found)


def test_programs_take_what_they_are_told(documents):
    for name, _, container in containers(documents):
        if container["command"][0] not in ("rondel-gateway", "rondel-node"):
            continue
        checked = subprocess.run([BUILD / "bin" / container["command"][0], "--check-settings"], capture_output=True, text=True, timeout=300,
                                 env={**os.environ, **{key: value or "from-the-pod" for key, value in variables(container).items()}})
        assert checked.returncode == 0, f"{name}: {checked.stderr}"


def test_zones_are_not_replaced_together(documents):
    zones = of_kind(documents, "StatefulSet")
    assert len(zones) == 3
    placed = set()
    for zone in zones.values():
        assert zone["spec"]["updateStrategy"] == {"type": "OnDelete"}
        labels = zone["spec"]["template"]["metadata"]["labels"]
        assert zone["spec"]["selector"]["matchLabels"].items() <= labels.items() and labels["app"] == "rondel-node"
        term = zone["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"][0]
        settings = variables(zone["spec"]["template"]["spec"]["containers"][0])
        assert term["matchExpressions"][0]["values"] == [settings["RONDEL_NODE_ZONE"]] == [labels["zone"]]
        placed.add(labels["zone"])
    assert len(placed) == 3
    disks = sum(zone["spec"]["replicas"] for zone in zones.values())
    gateway = of_kind(documents, "Deployment")["rondel-gateway"]["spec"]["template"]["spec"]["containers"][0]
    assert variables(gateway)["RONDEL_CLUSTER_BOOTSTRAP_DISKS"] == str(disks)


def test_one_budget_holds_each_pod_and_lets_one_go(documents):
    """Two budgets over one pod forbid its eviction; one for each zone would allow a pod of every zone."""
    budgets = of_kind(documents, "PodDisruptionBudget").values()
    for name, template in pod_templates(documents):
        if of_kind(documents, "Job").get(name):
            continue
        over = [budget for budget in budgets if budget["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()]
        assert [budget["spec"].get("maxUnavailable") for budget in over] == [1], name


def seconds(text):
    number, unit = re.fullmatch(r"(\d+)(ms|s|m)", text).groups()
    return int(number) * {"ms": 0.001, "s": 1, "m": 60}[unit]


def default_of(program, key):
    described = subprocess.run([BUILD / "bin" / program, "--describe-settings"], capture_output=True, text=True, timeout=300).stdout
    return re.search(r"^\| `%s` \| [^|]+ \| `([^`]*)`" % re.escape(key), described, re.M).group(1)


def test_who_ends_is_left_alone_first_and_has_time(documents):
    for name, template, container in containers(documents):
        if container["command"][0] == "rondel":
            continue
        is_gateway = container["command"][0] == "rondel-gateway"
        prefix = "RONDEL_GATEWAY" if is_gateway else "RONDEL_NODE"
        duck = seconds(variables(container)[f"{prefix}_LAME_DUCK"])
        probe = container["readinessProbe"]
        # Balancers hear of it before the listener closes.
        assert duck > probe["periodSeconds"] * probe.get("failureThreshold", 3) if is_gateway else duck > probe["periodSeconds"], name
        grace = seconds(default_of("rondel-gateway", "gateway.shutdown_grace")) if is_gateway else 0
        assert template["spec"]["terminationGracePeriodSeconds"] >= duck + grace + SPARE_SECONDS, name


def test_probes_ask_for_the_right_thing(documents):
    for name, _, container in containers(documents):
        if container["command"][0] == "rondel":
            continue
        paths = {kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
        # A gateway without the database answers 503 with Retry-After, and stays in the Service; a node without the ring is not ready.
        ready = "/health/serving" if container["command"][0] == "rondel-gateway" else "/health/ready"
        assert paths == {"startup": "/health/live", "liveness": "/health/live", "readiness": ready}, name
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        for kind in ("startup", "liveness", "readiness"):
            probe = container[f"{kind}Probe"]
            assert probe["httpGet"]["port"] in ports and probe["timeoutSeconds"] >= 3, name


def test_pods_have_no_more_rights_than_they_need(documents):
    accounts = of_kind(documents, "ServiceAccount")
    namespace = of_kind(documents, "Namespace")["rondel"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for name, template, container in containers(documents):
        pod = template["spec"]
        assert pod["enableServiceLinks"] is False and pod["automountServiceAccountToken"] is False, name
        assert accounts[pod["serviceAccountName"]]["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] >= 1000, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert container["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}, name
        assert container["resources"]["limits"]["memory"], name
        mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
        claims = of_kind(documents, "StatefulSet").get(name, {"spec": {}})["spec"].get("volumeClaimTemplates", [])
        assert mounted <= {volume["name"] for volume in pod.get("volumes", [])} | {claim["metadata"]["name"] for claim in claims}, name


def images():
    for document in rendered(COMPONENTS):
        spec = document.get("spec", {})
        for container in spec.get("template", {}).get("spec", {}).get("containers", []):
            yield container["image"]
        if "imageName" in spec:
            yield spec["imageName"]
    for service in yaml.safe_load((ROOT / "deploy/docker/compose.yaml").read_text())["services"].values():
        yield re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", service["image"])
    dockerfile = (ROOT / "deploy/docker/Dockerfile").read_text()
    defaults = dict(re.findall(r"^ARG (\w+)=(\S+)$", dockerfile, re.M))
    for image in re.findall(r"^FROM (\S+)", dockerfile, re.M):
        yield re.sub(r"\$\{(\w+)\}", lambda found: defaults[found.group(1)], image)


def test_images_are_pinned():
    found = list(images())
    assert len(found) > 10
    version = re.search(r"project\(rondel VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text()).group(1)
    for image in found:
        tag = image.rpartition(":")[2] if ":" in image.rpartition("/")[2] else ""
        assert re.match(r"\d+\.\d+", tag), f"{image} is another one tomorrow"
        if image.rpartition("/")[2].startswith("rondel"):
            assert tag == version, image


def test_each_version_has_its_own_migration():
    job = next(iter(of_kind(rendered(), "Job").values()))
    image = job["spec"]["template"]["spec"]["containers"][0]["image"]
    assert job["metadata"]["name"] == "rondel-migrate-" + image.rpartition(":")[2]
    assert job["metadata"]["labels"]["app"] == "rondel-migrate" and job["spec"]["ttlSecondsAfterFinished"] > 0
    command = job["spec"]["template"]["spec"]["containers"][0]["command"]
    assert command[:2] == ["rondel", "migrate"]


def test_acknowledged_commits_are_on_two_disks(documents):
    spec = of_kind(documents, "Cluster")["rondel-postgresql"]["spec"]
    assert spec["postgresql"]["synchronous"] == {"method": "any", "number": 1, "dataDurability": "required", "failoverQuorum": True}
    assert "minSyncReplicas" not in spec and "maxSyncReplicas" not in spec
    # One instance may be away, and commits go on.
    assert spec["instances"] >= spec["postgresql"]["synchronous"]["number"] + 2
    assert spec["affinity"]["podAntiAffinityType"] == "required" and spec["affinity"]["topologyKey"] == "topology.kubernetes.io/zone"
    assert spec["postgresql"]["parameters"]["synchronous_commit"] == "on"
    gateways = of_kind(documents, "Deployment")["rondel-gateway"]["spec"]["replicas"]
    connections = int(default_of("rondel-gateway", "metadata.connections")) + 1
    assert int(spec["postgresql"]["parameters"]["max_connections"]) >= gateways * connections + 30


def test_the_database_is_believed_by_its_certificate(documents):
    told = [text for _, _, container in containers(documents)
            for text in [*(value or "" for value in variables(container).values()), *container["command"]] if "dbname=" in text]
    assert len(told) == 2
    for dsn in told:
        assert "sslmode=verify-full" in dsn and "sslrootcert=/run/rondel/postgresql/ca.crt" in dsn and "password" not in dsn


def test_s3_is_served_by_tls(documents):
    container = of_kind(documents, "Deployment")["rondel-gateway"]["spec"]["template"]["spec"]["containers"][0]
    settings = variables(container)
    volumes = {volume["name"]: volume for volume in of_kind(documents, "Deployment")["rondel-gateway"]["spec"]["template"]["spec"]["volumes"]}
    certificate = of_kind(documents, "Certificate")["rondel-s3"]["spec"]
    mount = next(mount for mount in container["volumeMounts"] if settings["RONDEL_GATEWAY_TLS_CERTIFICATE_FILE"].startswith(mount["mountPath"] + "/"))
    assert volumes[mount["name"]]["secret"]["secretName"] == certificate["secretName"]
    base = settings["RONDEL_S3_VIRTUAL_HOST_BASE"]
    assert {base, "*." + base} <= set(certificate["dnsNames"])
    assert [port["port"] for port in of_kind(documents, "Service")["rondel"]["spec"]["ports"]] == [443]
    for ingress in of_kind(documents, "Ingress").values():
        assert {rule["host"] for rule in ingress["spec"]["rules"]} == {base, "*." + base} == set(ingress["spec"]["tls"][0]["hosts"])
        assert ingress["spec"]["tls"][0]["secretName"] == certificate["secretName"]
        assert ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/backend-protocol"] == "HTTPS"


# Pods by their labels, and what stands outside by a name of its own.
GATEWAY, NODE, MIGRATE, POSTGRESQL = ({"app": "rondel-gateway"}, {"app": "rondel-node", "zone": "zone-a"}, {"app": "rondel-migrate"},
                                      {"cnpg.io/cluster": "rondel-postgresql"})
STRANGER = {"app": "something-else"}
NAMESPACES = {"rondel": {"kubernetes.io/metadata.name": "rondel"}, "monitoring": {"kubernetes.io/metadata.name": "monitoring"},
              "kube-system": {"kubernetes.io/metadata.name": "kube-system"}, "cnpg-system": {"kubernetes.io/metadata.name": "cnpg-system"},
              "other": {"kubernetes.io/metadata.name": "other"}}
DNS = {"k8s-app": "kube-dns"}

# From, to, port, protocol, whether it is let through. A pod: (namespace, labels).
TRAFFIC = [
    (("other", STRANGER), ("rondel", GATEWAY), 9000, "TCP", True),
    (("other", STRANGER), ("rondel", GATEWAY), 9100, "TCP", False),
    (("other", STRANGER), ("rondel", GATEWAY), 9400, "TCP", False),
    (("other", STRANGER), ("rondel", NODE), 9200, "TCP", False),
    (("other", STRANGER), ("rondel", NODE), 9300, "TCP", False),
    (("other", STRANGER), ("rondel", POSTGRESQL), 5432, "TCP", False),
    (("other", GATEWAY), ("rondel", NODE), 9200, "TCP", False),   # The label alone is no passport.
    (("rondel", STRANGER), ("rondel", POSTGRESQL), 5432, "TCP", False),
    (("rondel", NODE), ("rondel", GATEWAY), 9400, "TCP", True),
    (("rondel", NODE), ("rondel", NODE), 9200, "TCP", True),
    (("rondel", NODE), ("rondel", NODE), 9300, "TCP", False),
    (("rondel", NODE), ("rondel", POSTGRESQL), 5432, "TCP", False),
    (("rondel", NODE), ("other", STRANGER), 443, "TCP", False),
    (("rondel", GATEWAY), ("rondel", NODE), 9200, "TCP", True),
    (("rondel", GATEWAY), ("rondel", POSTGRESQL), 5432, "TCP", True),
    (("rondel", GATEWAY), ("rondel", GATEWAY), 9400, "TCP", False),
    (("rondel", GATEWAY), ("other", STRANGER), 443, "TCP", False),
    (("rondel", MIGRATE), ("rondel", POSTGRESQL), 5432, "TCP", True),
    (("rondel", MIGRATE), ("rondel", NODE), 9200, "TCP", False),
    (("rondel", POSTGRESQL), ("rondel", POSTGRESQL), 5432, "TCP", True),
    (("rondel", POSTGRESQL), ("rondel", POSTGRESQL), 8000, "TCP", True),
    (("rondel", POSTGRESQL), ("rondel", NODE), 9200, "TCP", False),
    (("rondel", POSTGRESQL), ("other", STRANGER), 6443, "TCP", True),   # The API of Kubernetes.
    (("cnpg-system", STRANGER), ("rondel", POSTGRESQL), 8000, "TCP", True),
    *[(("rondel", pod), ("kube-system", DNS), 53, protocol, True) for pod in (GATEWAY, NODE, MIGRATE, POSTGRESQL) for protocol in ("UDP", "TCP")],
    (("rondel", GATEWAY), ("other", DNS), 53, "UDP", False),
    (("monitoring", STRANGER), ("rondel", GATEWAY), 9100, "TCP", True),
    (("monitoring", STRANGER), ("rondel", NODE), 9300, "TCP", True),
    (("monitoring", STRANGER), ("rondel", POSTGRESQL), 9187, "TCP", True),
    (("monitoring", STRANGER), ("rondel", NODE), 9200, "TCP", False),
]


def selects(selector, labels):
    return selector.get("matchLabels", {}).items() <= labels.items()


def is_peer(peer, pod):
    namespace, labels = pod
    if "namespaceSelector" in peer:
        return selects(peer["namespaceSelector"], NAMESPACES[namespace]) and selects(peer.get("podSelector", {}), labels)
    return namespace == "rondel" and selects(peer["podSelector"], labels)


def lets_through(policies, direction, pod, other, port, protocol):
    """By the rules of NetworkPolicy: no policy over the pod lets all through; else some rule of some policy must."""
    over = [policy["spec"] for policy in policies if selects(policy["spec"]["podSelector"], pod[1]) and direction in policy["spec"]["policyTypes"]]
    if pod[0] != "rondel" or not over:
        return True
    key, peers = ("ingress", "from") if direction == "Ingress" else ("egress", "to")
    return any((peers not in rule or any(is_peer(peer, other) for peer in rule[peers])) and
               any(entry["port"] == port and entry.get("protocol", "TCP") == protocol for entry in rule["ports"])
               for spec in over for rule in spec.get(key, []))


def test_policies_let_through_what_is_needed_and_no_more(documents):
    policies = list(of_kind(documents, "NetworkPolicy").values())
    for source, target, port, protocol, expected in TRAFFIC:
        through = lets_through(policies, "Egress", source, target, port, protocol) and lets_through(policies, "Ingress", target, source, port, protocol)
        assert through == expected, (source, target, port, protocol)
    listening = {port["containerPort"] for _, _, container in containers(documents) for port in container.get("ports", [])}
    assert {9000, 9100, 9400, 9200, 9300} == listening == {port for *_, port, _, through in TRAFFIC if through} - {53, 5432, 8000, 6443, 9187}


def test_services_find_their_pods(documents):
    for service in of_kind(documents, "Service").values():
        found = [template for _, template in pod_templates(documents) if service["spec"]["selector"].items() <= template["metadata"]["labels"].items()]
        assert found, service["metadata"]["name"]
        for template in found:
            ports = {port["name"] for port in template["spec"]["containers"][0]["ports"]}
            assert {port["targetPort"] for port in service["spec"]["ports"] if "targetPort" in port} <= ports


def test_prometheus_calls_jobs_as_the_alerts_do():
    """jobLabel takes the job from a label of the pod; the rules ask for rondel-gateway and rondel-node."""
    documents = rendered(COMPONENTS)
    jobs = set()
    for monitor in of_kind(documents, "PodMonitor").values():
        selector = monitor["spec"]["selector"]["matchLabels"]
        found = [template for _, template in pod_templates(documents) if selector.items() <= template["metadata"]["labels"].items()]
        for template in found:
            jobs.add(template["metadata"]["labels"][monitor["spec"]["jobLabel"]])
            ports = {port["name"] for port in template["spec"]["containers"][0]["ports"]}
            assert {endpoint["port"] for endpoint in monitor["spec"]["podMetricsEndpoints"]} <= ports
    scraped = yaml.safe_load((ROOT / "deploy/monitoring/prometheus.yaml").read_text())["scrape_configs"]
    assert jobs == {config["job_name"] for config in scraped} == {"rondel-gateway", "rondel-node"}
    asked = set()
    for group in manifests.alerts()["spec"]["groups"]:
        for rule in group["rules"]:
            asked |= {(operator, value) for operator, value in re.findall(r'job(=~|=)"([^"]*)"', rule["expr"])}
    assert asked
    for operator, value in asked:
        assert any(re.fullmatch(value, job) if operator == "=~" else value == job for job in jobs), value


def ignored(path):
    patterns = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    parents = ["/".join(path.split("/")[:depth]) for depth in range(1, path.count("/") + 2)]
    for pattern in patterns:
        expression = re.escape(pattern).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
        if any(re.fullmatch(expression, parent) for parent in parents):
            return True
    return False


def test_images_are_built_of_the_tree_alone():
    for path in (".git/config", "build/release/CMakeCache.txt", "deploy/docker/secrets/master.key", "deploy/docker/secrets/tls/authority.key", "master.key",
                 "certificates/authority.key", "certificates/outside.pem", "tests/e2e/__pycache__/cluster.pyc", "secrets/database.password"):
        assert ignored(path), path
    tracked = subprocess.run(["git", "-C", str(ROOT), "ls-files"], capture_output=True, text=True, timeout=300)
    if tracked.returncode != 0:
        pytest.skip("not a repository")
    needed = [path for path in tracked.stdout.splitlines() if path.endswith((".cc", ".h", ".proto", ".sql", ".cmake", "CMakeLists.txt", "CMakePresets.json"))]
    assert len(needed) > 400 and [path for path in [*needed, "deploy/local/install.sh"] if ignored(path)] == []


def test_containers_of_compose_are_watched_and_confined():
    compose = yaml.safe_load((ROOT / "deploy/docker/compose.yaml").read_text())
    for name, service in compose["services"].items():
        command = service.get("command") or [""]
        program = command if isinstance(command, str) else command[0]
        assert "healthcheck" in service, name
        if name == "postgresql":
            continue
        assert service["user"] == "65532:65532" and service["read_only"] and service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        if program in ("rondel-gateway", "rondel-node"):
            health = service["healthcheck"]["test"][-1]
            assert health.endswith("/health/serving" if program == "rondel-gateway" else "/health/ready"), name
            prefix = "RONDEL_GATEWAY" if program == "rondel-gateway" else "RONDEL_NODE"
            grace = seconds(default_of("rondel-gateway", "gateway.shutdown_grace")) if program == "rondel-gateway" else 0
            assert seconds(service["stop_grace_period"]) >= seconds(service["environment"][f"{prefix}_LAME_DUCK"]) + grace + SPARE_SECONDS, name
    dockerfile = (ROOT / "deploy/docker/Dockerfile").read_text()
    assert re.search(r"^USER 65532", dockerfile, re.M) and "HEALTHCHECK" in dockerfile


@pytest.mark.parametrize("words", [["account", "list"], ["kms", "list"], ["gc", "status"], ["node", "forget", "nobody"]], ids=" ".join)
def test_the_tools_of_compose_reach_every_command(tmp_path, words):
    """As the service "rondel" runs them, with a rondel that says what it was told: options stand where the real one takes them."""
    service = yaml.safe_load((ROOT / "deploy/docker/compose.yaml").read_text())["services"]["rondel"]
    shell, flag, script, name = service["entrypoint"]
    script = script.replace("$$", "$").replace("/run/secrets/database.password", str(tmp_path / "password")).replace("/run/secrets/master.key", str(tmp_path / "key"))
    (tmp_path / "password").write_text("p")
    (tmp_path / "key").write_text("ab" * 32)
    done = subprocess.run([shell, flag, script, name, *words], capture_output=True, text=True, timeout=300,
                          env={**os.environ, "PATH": f"{BUILD / 'bin'}:{os.environ['PATH']}"})
    # There is no such host: the options were taken, and the database is what it stops at.
    assert done.returncode == 1 and "PostgreSQL" in done.stderr, (done.returncode, done.stdout, done.stderr)
