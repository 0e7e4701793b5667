"""The private PostgreSQL of a test's cluster: stopped, copied, dumped, set back, with a standby."""
import glob
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

from cluster import is_running, wait_for

PROGRAMS = pathlib.Path(sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1])


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
        timeout=300, **options)
    assert done.returncode == 0, f"{command[0]}: {done.stderr or done.stdout}"
    return done.stdout


class Database:
    def __init__(self, cluster):
        self.cluster = cluster
        self.folder = cluster.data / "postgresql"
        self.socket = cluster.dsn().split("host=")[1].split()[0]
        self.user = self.folder.owner()
        self.kept = pathlib.Path(tempfile.mkdtemp(prefix="rondel-backup-"))
        self.kept.chmod(0o755)

    def wipe(self):
        shutil.rmtree(self.kept, ignore_errors=True)

    def as_user(self, *command):
        drop = ["/usr/bin/setpriv", f"--reuid={self.user}", f"--regid={self.user}",
            "--init-groups", "--"] if os.geteuid() == 0 else []
        return [*drop, *[str(word) for word in command]]

    def pid(self):
        return int((self.folder / "postmaster.pid").read_text().split()[0])

    def stop(self, number=signal.SIGINT):
        """SIGINT writes everything down and sends it to standbys; SIGQUIT is a crash."""
        pids = self.cluster.pids_of("postgresql") if number == signal.SIGQUIT else [self.pid()]
        os.kill(pids[-1], number)
        wait_for(lambda: not any(is_running(pid) for pid in pids), 60, "PostgreSQL to end")

    def start_alone(self, folder=None, socket=None):
        """The server without the rest of the cluster."""
        command = self.as_user(PROGRAMS / "postgres", "-D", folder or self.folder, "-k",
            socket or self.socket)
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)
        wait_for(lambda: subprocess.run([str(PROGRAMS / "pg_isready"), "-q", "-h",
            socket or self.socket, "-d", "postgres"]).returncode == 0, 60,
                 "PostgreSQL to start")

    def copy(self):
        """Of the files of a server that is stopped."""
        run("cp", "-a", self.folder, self.kept / "files")

    def set_back_files(self):
        shutil.rmtree(self.folder)
        run("cp", "-a", self.kept / "files", self.folder)

    def psql(self, statement, database="postgres", socket=None):
        return run(PROGRAMS / "psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h",
            socket or self.socket, "-U", "rondel", "-d", database,
                   "-c", statement).strip()

    def dump(self):
        run(PROGRAMS / "pg_dump", "-Fc", "-h", self.socket, "-U", "rondel", "-f",
            self.kept / "dump", "rondel")

    def set_back_dump(self):
        """Into the same server, under the gateways' feet."""
        self.psql("drop database rondel with (force)")
        self.psql("create database rondel")
        # Whole or not at all: gateways write marks as soon as there is a table for them.
        run(PROGRAMS / "pg_restore", "--single-transaction", "-h", self.socket, "-U", "rondel",
            "-d", "rondel", self.kept / "dump")

    # A standby

    def make_standby(self):
        with open(self.folder / "pg_hba.conf", "a") as rules:
            rules.write("local replication all peer map=rondel\n")
        self.psql("select pg_reload_conf()")
        self.standby = self.kept / "standby"
        self.standby_socket = str(self.kept)
        run(PROGRAMS / "pg_basebackup", "-h", self.socket, "-U", "rondel", "-D", self.standby,
            "-R", "-X", "stream", "--checkpoint=fast")
        run("chown", "-R", f"{self.user}:", self.standby)
        os.chmod(self.kept, 0o777)
        # The standby asks as the user that runs it.
        with open(self.folder / "pg_ident.conf", "a") as names:
            names.write(f"rondel {self.user} rondel\n")
        self.psql("select pg_reload_conf()")
        self.start_alone(self.standby, self.standby_socket)
        wait_for(lambda:
            self.psql("select count(*) from pg_stat_replication where state = "
            "'streaming'") == "1", 60, "the standby to follow")

    def stop_standby(self):
        run(*self.as_user(PROGRAMS / "pg_ctl", "stop", "-D", self.standby, "-m", "fast", "-w"))

    def promote(self):
        """The standby becomes the server, in its place: the cluster knows one address."""
        run(*self.as_user(PROGRAMS / "pg_ctl", "promote", "-D", self.standby, "-w"))
        self.psql("checkpoint", socket=self.standby_socket)
        timeline = self.psql("select timeline_id from pg_control_checkpoint()",
            socket=self.standby_socket)
        assert timeline == "2", timeline
        self.stop_standby()
        shutil.rmtree(self.folder)
        run("cp", "-a", self.standby, self.folder)


def measure(cluster, name):
    return sum(value for _, value in cluster.samples(name))


def removed_everything(cluster):
    """Nothing waits to be removed from the disks."""
    return cluster.sql("select count(*) from released_streams") == "0"


def is_halted(cluster):
    return measure(cluster, "rondel_gc_halted") > 0


def purging(cluster):
    """How many nodes purge."""
    return int(measure(cluster, "rondel_node_purging"))


def wait_past(moment):
    time.sleep(max(0.0, moment - time.monotonic()))
