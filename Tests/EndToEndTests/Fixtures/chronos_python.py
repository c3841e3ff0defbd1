"""What users of chronos-python do, with the package as PyPI has it, against a running cluster.

usage: chronos_python.py HOST:PORT KEY v1|none PREFIX
"""

import sys
import time

import chronos

server, key, version, prefix = sys.argv[1:]
# Two servers, the first of which nobody answers at: the package goes on to the next one.
client = chronos.connect(
    ["127.0.0.1:1", server], username="anyone", password=key, scheduler_api_version=None if version == "none" else version
)


def job(name, **members):
    return dict(
        {"name": prefix + name, "command": "echo " + name, "owner": "bob@airbnb.com", "disabled": False, "async": False},
        **members,
    )


def listed(name):
    return {entry["name"]: entry for entry in client.list()}.get(prefix + name)


def wait(what, condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not within %d s: %s" % (seconds, what)
        time.sleep(0.05)


def state(name):
    lines = [line.split(",") for line in client.scheduler_graph().splitlines()]
    return {line[1]: tuple(line[2:]) for line in lines if line[0] == "node"}[prefix + name]


# Add and list: what was added is there at once.
parent = job("parent", schedule="R0/2014-01-01T00:00:00Z/PT60M", retries=1)
assert client.add(parent) is None
assert client.add(job("child", parents=[prefix + "parent"])) is None
assert listed("parent")["schedule"] == "R0/2014-01-01T00:00:00Z/PT60M"
assert listed("child")["parents"] == [prefix + "parent"]
assert "schedule" not in listed("child")

# Search, by name and by command.
assert [found["name"] for found in client.search(name=prefix + "PAR")] == [prefix + "parent"]
assert prefix + "child" in [found["name"] for found in client.search(command="echo chi")]
assert client.search(name=prefix + "parent", command="no such command") == []

# Statistics of jobs that never ran.
nothing = {"median": 0.0, "mean": 0.0, "count": 0}
nothing.update({"%sthPercentile" % level: 0.0 for level in (75, 95, 98, 99)})
assert client.job_stat(prefix + "parent") == {"histogram": nothing, "taskStatHistory": []}
statistics = [
    client.scheduler_stat_99th, client.scheduler_stat_98th, client.scheduler_stat_95th, client.scheduler_stat_75th,
    client.scheduler_stat_median, client.scheduler_stat_mean,
]
for ask in statistics:
    assert {"jobNameLabel": prefix + "parent", "time": 0.0} in ask()
assert state("parent") == ("fresh", "idle")

# Update: POST for 3.x, PUT for 2.x.
parent["description"] = "changed"
assert client.update(parent) is None
assert listed("parent")["description"] == "changed"

# Run: the parent succeeds, and then the child.
assert client.run(prefix + "parent") is None
wait("the parent has succeeded", lambda: listed("parent")["successCount"] == 1)
wait("the child has succeeded", lambda: listed("child")["successCount"] == 1)
assert state("parent") == ("success", "idle")
statistic = client.job_stat(prefix + "parent")
assert statistic["histogram"]["count"] == 1, statistic
assert statistic["taskStatHistory"][0]["status"] == "Success", statistic
assert [entry for entry in client.scheduler_stat_mean() if entry["jobNameLabel"] == prefix + "parent"][0]["time"] > 0
links = [line for line in client.scheduler_graph().splitlines() if line.startswith("link," + prefix)]
assert links == ["link,%sparent,%schild" % (prefix, prefix)], links
metrics = client.metrics()
assert metrics["version"] == "3.0.0" and "gauges" in metrics
assert metrics["counters"]["jobs.run.success.%sparent" % prefix]["count"] == 1

# Kill.
assert client.add(job("long", schedule="R0//PT1M", command="sleep 300")) is None
assert client.run(prefix + "long") is None
wait("it runs", lambda: state("long")[1] == "1 running")
assert client.delete_tasks(prefix + "long") is None
wait("it is idle", lambda: state("long") == ("fresh", "idle"))

# Names that must be quoted.
blank = job("with blanks #1", schedule="R0//PT1M")
assert client.add(blank) is None
assert client.run(blank["name"]) is None
wait("it has succeeded", lambda: listed("with blanks #1")["successCount"] == 1)

# What is wrong is an error of the package, with the cluster's own words in its log.
for call in [lambda: client.run(prefix + "nobody"), lambda: client.add(job("bad", schedule="every day"))]:
    try:
        call()
    except chronos.ChronosAPIError:
        continue
    raise AssertionError("an error was expected")
assert listed("bad") is None

# Delete.
for name in ["child", "parent", "long", "with blanks #1"]:
    assert client.delete(prefix + name) is None
assert not [entry["name"] for entry in client.list() if entry["name"].startswith(prefix)]
print("all of it works")
