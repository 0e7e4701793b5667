"""An operator's mistakes, and what somebody who has a wrong key or setting can do to a cluster."""
import json
import re
import subprocess

import boto3
import pytest

from cluster import BUILD, running, wait_for


@pytest.fixture(scope="module")
def operated():
    with running("victims") as cluster:
        yield cluster


def rows(cluster, subject):
    answer = cluster.cli("audit", "list", "--limit", "1000", "--json")
    assert answer.returncode == 0, answer.stderr
    return [row for row in json.loads(answer.stdout)["rows"] if row["subject"] == subject]


def one_line(done, words):
    assert done.returncode == 1, done.stdout + done.stderr
    assert words in done.stderr, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def commands(words=()):
    """Every command that does something, by the help of the program itself."""
    text = subprocess.run([BUILD / "bin" / "rondel", *words, "--help"], capture_output=True, text=True).stdout
    section = text.split("Subcommands:")
    if len(section) == 1:
        return [(words, text)]
    below = [re.match(r"  ([a-z-]+)", line) for line in section[1].splitlines() if re.match(r"  [a-z]", line)]
    return [leaf for name in below for leaf in commands((*words, name.group(1)))]


def test_every_command_speaks_json_and_every_program_says_its_version():
    leaves = commands()
    assert len(leaves) >= 25, [words for words, _ in leaves]
    for words, text in leaves:
        assert "--json" in text, words
    for program in ("rondel", "rondel-gateway", "rondel-node"):
        done = subprocess.run([BUILD / "bin" / program, "--version"], capture_output=True, text=True)
        assert done.returncode == 0 and re.fullmatch(program + r" \d+\.\d+\.\d+ \(([0-9a-f]{12}\+?|unknown)\)\n", done.stdout), done


def test_a_wrong_master_key_ends_commands_and_gateways_in_one_line(operated, tmp_path):
    wrong = tmp_path / "wrong.key"
    wrong.write_text("ab" * 32 + "\n")
    before = operated.cli("account", "list").stdout
    for words in (["account", "--dsn", operated.dsn(), "--master-key-file", str(wrong), "create", "--name", "thief"],
                  ["kms", "--dsn", operated.dsn(), "--master-key-file", str(wrong), "create", "thief"],
                  ["kms", "--dsn", operated.dsn(), "--master-key-file", str(wrong), "list"]):
        one_line(operated.cli(*words), "not the master key of this cluster")
    gateway = subprocess.run([BUILD / "bin" / "rondel-gateway", "--config", operated.data / "config" / "gateway-1.yaml",
                              "--set", f"metadata.master_key_file={wrong}", "--set", f"gateway.listen=127.0.0.1:{operated.port + 90}",
                              "--set", f"gateway.operations_listen=127.0.0.1:{operated.port + 190}", "--set", f"cluster.listen=127.0.0.1:{operated.port + 490}"],
                             capture_output=True, text=True, timeout=300)
    one_line(gateway, "not the master key of this cluster")
    assert operated.cli("account", "list").stdout == before
    assert [value for _, value in operated.samples("rondel_master_key_matches")] == [1.0]


def test_the_last_key_wants_force_and_rotation_leaves_a_cluster_that_starts(operated):
    old = operated.env["AWS_ACCESS_KEY_ID"]
    for verb in ("disable", "delete"):
        one_line(operated.cli("account", "key", verb, old), "--force")
    made = json.loads(operated.cli("account", "key", "create", "root", "--json").stdout)
    for verb in ("disable", "delete"):
        done = operated.cli("account", "key", verb, old)
        assert done.returncode == 0, done.stderr
    assert f"AWS_ACCESS_KEY_ID={made['access_key']}" in (operated.data / "env").read_text()
    assert operated.down().returncode == 0
    started = operated.up()
    assert started.returncode == 0, started.stdout + started.stderr
    assert operated.env["AWS_ACCESS_KEY_ID"] == made["access_key"]
    operated.boto3(boto3).put_object(Bucket="victims", Key="rotated", Body=b"x")
    actions = [(row["action"], row["name"].split()[0]) for row in rows(operated, "access key")]
    assert ("delete", old) in actions and ("change", old) in actions and ("create", made["access_key"]) in actions
    assert all(row["program"] == "rondel root" or row["program"].startswith("rondel ") for row in rows(operated, "access key"))


def test_a_cluster_without_any_usable_key_starts_and_says_so(operated):
    key = operated.env["AWS_ACCESS_KEY_ID"]
    assert operated.cli("account", "key", "disable", key, "--force").returncode == 0
    again = operated.up()
    assert again.returncode == 0 and "rondel account key create root" in again.stdout, again.stdout + again.stderr
    assert operated.cli("account", "key", "enable", key).returncode == 0
    assert operated.up().returncode == 0


@pytest.mark.parametrize("word, why", [
    ("node.zone=x", "every process has one for itself"), ("node.listen=127.0.0.1:1", "every process has one for itself"),
    ("metadata.dsn=dbname=x", "`rondel up` decides it"), ("gateway.tls_certificate_file=/nope", "go together"),
    ("engine.segment_size=16MiB", "engine.segment_size"), ("rpc.tls_key_file=/nope", "tls"),
    ("node.advertise={name}:0", "node.advertise"), ("s3.clock_skew_max=soon", "s3.clock_skew_max"),
])
def test_values_are_tried_before_they_are_kept(operated, word, why):
    kept = (operated.data / "cluster.json").read_text()
    refused = operated.up("--set", word)
    assert refused.returncode != 0 and why in refused.stderr + refused.stdout, refused.stdout + refused.stderr
    assert (operated.data / "cluster.json").read_text() == kept
    assert operated.cli("status").returncode in (0, 3)


def test_files_that_are_not_there_are_not_kept(operated):
    kept = (operated.data / "cluster.json").read_text()
    refused = operated.up("--set", "gateway.tls_certificate_file=/nope", "--set", "gateway.tls_key_file=/nope")
    assert refused.returncode != 0 and "/nope" in refused.stderr + refused.stdout, refused.stdout + refused.stderr
    assert (operated.data / "cluster.json").read_text() == kept


def test_settings_are_shown_taken_back_and_written_down(operated):
    assert operated.up("--set", "repair.period=2s").returncode == 0
    shown = json.loads(operated.cli("config", "show", "--effective", "--json").stdout)["processes"]
    assert {process["process"] for process in shown} == {"gateway-1", "node-1", "node-2", "node-3", "node-4"}
    for process in shown:
        values = {setting["name"]: (setting["value"], setting["source"]) for setting in process["settings"]}
        if process["program"] == "rondel-node":
            assert values["repair.period"] == ("2000ms", "flag")
        else:
            assert values["gateway.listen"][1] == "file" and values["gateway.threads"] == ("0", "default")
    refused = operated.cli("up", "--help")
    assert "--unset" in refused.stdout
    assert operated.up("--unset", "repair.period").returncode == 0
    assert json.loads(operated.cli("config", "show", "--json").stdout)["settings"] == {}
    assert operated.up("--unset", "repair.period").returncode != 0
    changes = rows(operated, "settings")
    assert changes[-2]["after"] == {"repair.period": "2s"} and changes[-1]["after"] == {}


def test_status_tells_the_truth_about_a_node_that_is_away(operated):
    wait_for(lambda: operated.cli("status").returncode == 0, 60, "a healthy cluster")
    healthy = operated.cli("status")
    assert "healthy" in healthy.stdout and "space " in healthy.stdout
    assert operated.cli("gc", "set", "--grace", "30m", "--json").returncode == 0
    assert rows(operated, "gc")[-1]["after"] == {"grace_s": 1800}
