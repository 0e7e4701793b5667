"""Rows about PostgreSQL, the queues in it and the master key: what gateways tell of them. As faults.py; a row says which metric it needs."""
from cluster import wait_for
from faults import ALONE, lane


@lane(ALONE, "the synchronous standby is stopped", ["RondelStandbyMissing"], ["RondelStandbyMissing", "RondelRequestsFail"],
      needs="rondel_postgres_synchronous_standbys")
def standby_stopped(stage):
    stage.database.make_standby()
    stage.configure("synchronous_standby_names", "*")
    wait_for(lambda: stage.database.psql("select count(*) from pg_stat_replication where sync_state = 'sync'") == "1", 60, "the standby to count")
    stage.database.stop_standby()
    yield
    stage.configure("synchronous_standby_names", "")


@lane(ALONE, "the database grows", ["RondelDatabaseSpaceLow"], ["RondelDatabaseSpaceLow"], needs="rondel_postgres_database_bytes_max")
def database_grows(stage):
    stage.cluster.sql("create table ballast as select md5(n::text) || md5((n + 1)::text) as bytes from generate_series(1, 1600000) n")
    yield
    stage.cluster.sql("drop table ballast")


@lane(ALONE, "somebody takes PostgreSQL's connections", ["RondelDatabaseConnections"], ["RondelDatabaseConnections"],
      needs="rondel_postgres_connections")
def connections_taken(stage):
    limit = int(stage.database.psql("select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"))
    taken = int(stage.database.psql("select count(*) from pg_stat_activity where backend_type = 'client backend'"))
    with stage.sessions(int(limit * 0.93) - taken):
        yield


@lane(ALONE, "autovacuum does not freeze", ["RondelDatabaseTransactionIds"], ["RondelDatabaseTransactionIds", "RondelDatabaseAway", "RondelProcessDown"],
      needs="rondel_postgres_xid_age", silent_within=240)
def not_frozen(stage):
    """600 million transactions later; autovacuum was told to wait for longer."""
    stage.configure("autovacuum_freeze_max_age", "2000000000")
    stage.configure("autovacuum_naptime", "1s")
    stage.database.stop()
    stage.pass_transactions(600_000_000)
    stage.up()
    yield
    stage.configure("autovacuum_freeze_max_age", "200000000")
    stage.database.stop()
    stage.up()


@lane(ALONE, "archive_command fails", ["RondelArchiveFails"], ["RondelArchiveFails"], needs="rondel_postgres_archive_failing")
def archive_fails(stage):
    with stage.archive("fail"):
        yield


@lane(ALONE, "archive_command hangs", ["RondelBackupOld"], ["RondelBackupOld"], needs="rondel_postgres_last_archived_timestamp_seconds", within=150)
def archive_hangs(stage):
    with stage.archive("hang"):
        yield


@lane(ALONE, "removal stands still for days", ["RondelQueueOld"], ["RondelGarbageCollectionHalted"], needs="rondel_queue_oldest_seconds")
def removal_stands_still(stage):
    """As the breaker halts it; and the days are written into the rows."""
    stage.put("removed", 5)
    stage.cluster.sql("update garbage_collection set halted = 'the drill looks', halted_at = now()")
    stage.delete("removed/")
    stage.cluster.sql("update released_streams set released_at = now() - interval '3 days'")
    yield
    done = stage.cluster.cli("gc", "resume")
    assert done.returncode == 0, done.stdout + done.stderr


@lane(ALONE, "the master key in the database is another", ["RondelMasterKeyWrong"], ["RondelMasterKeyWrong"], needs="rondel_master_key_matches")
def master_key_other(stage):
    """As when gateways run on, and the database under them becomes another cluster's."""
    stage.cluster.sql("create table kept_checks as table key_checks; update key_checks set value = sha256(value)")
    yield
    stage.cluster.sql("update key_checks c set value = k.value from kept_checks k where k.name = c.name; drop table kept_checks")


@lane(ALONE, "a gateway is started with another master key", ["RondelProcessDown"], ["RondelProcessDown"], needs="rondel_master_key_matches")
def started_with_other_key(stage):
    """It ends with one line, and does not answer requests with secrets that it cannot open."""
    words = stage.command("gateway-2")
    other = stage.work / "other.key"
    other.write_text("ab" * 32 + "\n")
    other.chmod(0o600)
    stage.end(["gateway-2"])
    process = stage.start_by_hand("gateway-2", [*words, "--set", f"metadata.master_key_file={other}"])
    wait_for(lambda: process.poll() is not None, 30, "the gateway to end")
    yield
    stage.end_by_hand()
    stage.up()
