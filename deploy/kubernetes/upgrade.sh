#!/usr/bin/env bash
# Brings a cluster to what kustomization.yaml says: first the schema, then the gateways, then the nodes, one zone after another and one pod
# at a time. No pod is deleted unless all nodes are ready, have contact to the ring, know the same epoch and lack nothing; what is never
# so ends the script with one line, and nothing more is touched. To run it again goes on where it ended.
#
#   upgrade.sh [--namespace rondel] [--kustomization FOLDER] [--lag SECONDS] [--patience SECONDS] [--pause SECONDS] [--nodes-only] [--check]
#
#   --lag         how much a disk may lack by age; 0. Under heavy load a disk may lack what is a second old all the time.
#   --patience    how long each step may take; 1800
#   --pause       between two looks, of which three in a row must be good; 2
#   --nodes-only  neither schema nor manifests nor gateways: only replace the pods of nodes that are behind their StatefulSet
#   --check       only say whether a pod could be deleted now
set -uo pipefail

namespace=rondel
folder=$(cd "$(dirname "$0")" && pwd)
lag=0 patience=1800 pause=2 nodes_only= check=
while [ $# -gt 0 ]; do
  case "$1" in
    --namespace) namespace=${2:?}; shift 2 ;;
    --kustomization) folder=${2:?}; shift 2 ;;
    --lag) lag=${2:?}; shift 2 ;;
    --patience) patience=${2:?}; shift 2 ;;
    --pause) pause=${2:?}; shift 2 ;;
    --nodes-only) nodes_only=1; shift ;;
    --check) check=1; shift ;;
    *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
done

kube() { kubectl --namespace "$namespace" "$@"; }
say() { printf '%s\n' "$*"; }
stop_here() { printf 'upgrade.sh: %s\n' "$*" >&2; exit 1; }
step() { "$@" || stop_here "this did not work, and nothing more was touched: ${*/#kube/kubectl}"; }

# A line a StatefulSet: name, replicas, revision of its template, strategy, generation, generation that the controller has seen.
sets() {
  kube get statefulsets --selector app=rondel-node --output 'jsonpath={range .items[*]}{.metadata.name}{"|"}{.spec.replicas}{"|"}{.status.updateRevision}{"|"}{.spec.updateStrategy.type}{"|"}{.metadata.generation}{"|"}{.status.observedGeneration}{"\n"}{end}'
}

# A line a pod: name, its StatefulSet, revision, whether it is ready, when it was told to end.
pods() {
  kube get pods --selector app=rondel-node --output 'jsonpath={range .items[*]}{.metadata.name}{"|"}{.metadata.ownerReferences[0].name}{"|"}{.metadata.labels.controller-revision-hash}{"|"}{.status.conditions[?(@.type=="Ready")].status}{"|"}{.metadata.deletionTimestamp}{"\n"}{end}'
}

# By way of the pod itself: no policy for the network need let us through.
metrics_of() { kube exec "$1" --container node -- curl -fsS --max-time 5 http://127.0.0.1:9300/metrics 2>/dev/null; }

# What is wrong with one node, by its metrics; nothing when nothing is. Prints its epoch as the first line.
judge_metrics() {
  awk -v lag="$lag" '
    /^#/ { next }
    { name = $1; sub(/\{.*/, "", name); seen[name] = 1 }
    name == "rondel_ring_epoch" { epoch = $NF + 0 }
    name == "rondel_node_ring_contact" && $NF + 0 != 1 { why = "has no contact to the ring" }
    name == "rondel_node_disks_unusable" && $NF + 0 > 0 { why = "has not opened all of its disks" }
    name == "rondel_node_disk_state" && !/state="online"/ && $NF + 0 == 1 { why = "has a disk that is not online" }
    name == "rondel_repair_comparisons_due" && $NF + 0 > 0 { why = "still compares its disks with others" }
    name == "rondel_repair_wanted_full" && $NF + 0 > 0 { why = "lacks more than its list holds" }
    name == "rondel_replication_lag_seconds" && $NF + 0 > lag + 0 { why = "tells of a disk that lacks what is " $NF " s old" }
    END {
      count = split("rondel_ring_epoch rondel_node_ring_contact rondel_node_disks_unusable rondel_node_disk_state " \
                    "rondel_repair_comparisons_due rondel_repair_wanted_full rondel_replication_lag_seconds", needed, " ")
      for (i = 1; i <= count; i++) if (!(needed[i] in seen)) why = "does not tell its " needed[i]
      print epoch
      if (why != "") print why
    }'
}

# One line for the first thing that holds back; nothing: a pod may go.
what_holds_back() {
  local all_sets all_pods name replicas revision strategy generation seen set ready ending count judged epoch= node_epoch
  all_sets=$(sets) || { say "kubectl does not answer"; return; }
  all_pods=$(pods) || { say "kubectl does not answer"; return; }
  [ -n "$all_sets" ] || { say "there is no StatefulSet of nodes in the namespace $namespace"; return; }
  while IFS='|' read -r name replicas revision strategy generation seen; do
    [ "$strategy" = OnDelete ] || { say "$name would replace its pods by itself (updateStrategy $strategy)"; return; }
    [ "$seen" = "$generation" ] || { say "the controller has not seen the newest $name"; return; }
    count=$(awk -F'|' -v set="$name" '$2 == set' <<< "$all_pods" | grep -c .)
    [ "$count" = "$replicas" ] || { say "$name has $count of $replicas pods"; return; }
  done <<< "$all_sets"
  while IFS='|' read -r name set revision ready ending; do
    [ -z "$ending" ] || { say "$name is ending"; return; }
    [ "$ready" = True ] || { say "$name is not ready"; return; }
  done <<< "$all_pods"
  while IFS='|' read -r name set revision ready ending; do
    judged=$(metrics_of "$name" < /dev/null | judge_metrics)
    node_epoch=$(head -n 1 <<< "$judged")
    judged=$(sed -n 2p <<< "$judged")
    [ -z "$judged" ] || { say "$name $judged"; return; }
    [ "${epoch:-$node_epoch}" = "$node_epoch" ] || { say "$name knows another epoch of the ring"; return; }
    epoch=$node_epoch
  done <<< "$all_pods"
}

# Three good looks in a row: a node that has just come back is told by its peers what it lacks.
wait_until_whole() {
  local good=0 why= said= end=$((SECONDS + patience))
  while :; do
    why=$(what_holds_back)
    if [ -z "$why" ]; then
      good=$((good + 1))
      [ "$good" -lt 3 ] || return 0
    else
      good=0
      [ "$SECONDS" -lt "$end" ] || stop_here "after $patience s $why; no pod was deleted since, and the rest is as it was"
      [ "$why" = "$said" ] || say "  waiting: $why"
      said=$why
    fi
    sleep "$pause"
  done
}

# The first pod, by zone and name, that is of another revision than its StatefulSet asks for.
next_pod() {
  local all_sets all_pods
  all_sets=$(sets) && all_pods=$(pods) || return 1
  awk -F'|' 'NR == FNR { wanted[$1] = $3; next } $3 != wanted[$2] { print $2 "|" $1 }' \
    <(printf '%s\n' "$all_sets") <(printf '%s\n' "$all_pods") | sort | head -n 1
}

if [ -n "$check" ]; then
  why=$(what_holds_back)
  [ -z "$why" ] || stop_here "$why"
  say "all nodes are ready, have contact and lack nothing"
  exit 0
fi

wait_until_whole
if [ -z "$nodes_only" ]; then
  say "migrating the schema"
  # A job that is there cannot be changed; to run one again does no harm.
  step kube delete jobs --selector app=rondel-migrate --ignore-not-found
  step kube apply --kustomize "$folder" --selector app=rondel-migrate
  step kube wait --for=condition=Complete jobs --selector app=rondel-migrate --timeout "${patience}s"
  say "replacing the gateways"
  step kube apply --kustomize "$folder"
  step kube rollout status deployment/rondel-gateway --timeout "${patience}s"
  step kube wait --for=condition=Ready clusters.postgresql.cnpg.io/rondel-postgresql --timeout "${patience}s"
fi

zone=
while :; do
  wait_until_whole
  found=$(next_pod) || stop_here "kubectl does not answer"
  [ -n "$found" ] || break
  [ "${found%%|*}" = "$zone" ] || say "replacing the nodes of ${found%%|*}"
  zone=${found%%|*}
  say "  ${found##*|}"
  step kube delete pod "${found##*|}" --wait=true --timeout "${patience}s"
done
say "all nodes run what their StatefulSets say"
