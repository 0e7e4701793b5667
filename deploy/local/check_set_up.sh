# Sourced by up.sh, with `root` set to the checkout's folder: what would end in a refusal after minutes of installing and building is
# refused first. `rondel up` asks the same again, and more: it is what decides.

refuse() { echo "up.sh: $*" >&2; exit 1; }

# Takes the words of up.sh that matter here; unknown ones are rondel's business.
read_words() {
  data=${RONDEL_DATA:-/var/lib/rondel} port=9000 nodes=4 zones="" gateways=1 factor=3 domain=zone disks=""
  while [ $# -gt 0 ]; do
    case "$1" in
      --*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}"; continue ;;
      --data) data=${2:-} ;;
      --port) port=${2:-} ;;
      --nodes) nodes=${2:-} ;;
      --zones) zones=${2:-} ;;
      --gateways) gateways=${2:-} ;;
      --set)
        case "${2:-}" in
          replication.factor=*) factor=${2#*=} ;;
          replication.failure_domain=*) domain=${2#*=} ;;
          node.disks=*) disks=${2#*=} ;;
        esac ;;
      *) shift; continue ;;
    esac
    shift; [ $# -eq 0 ] || shift
  done
}

is_between() { [[ "$1" =~ ^[0-9]{1,6}$ ]] && [ "$1" -ge "$2" ] && [ "$1" -le "$3" ]; }

check_counts() {
  is_between "$port" 1024 65000 || refuse "--port must be 1024 to 65000"
  is_between "$nodes" 1 90 || refuse "--nodes must be 1 to 90"
  is_between "$gateways" 1 90 || refuse "--gateways must be 1 to 90"
  [ -n "$zones" ] || zones=$((nodes < 3 ? nodes : 3))
  is_between "$zones" 1 "$nodes" || refuse "--zones must be 1 to the number of nodes ($nodes)"
  is_between "$factor" 1 8 || return 0
  [ "$zones" -ge 2 ] || [ "$factor" = 1 ] || [ "$domain" != zone ] || refuse "one zone cannot hold copies apart: use --zones 2 or more," \
    "or --set replication.failure_domain=host|disk, or --set replication.factor=1"
  [ "$nodes" -ge "$factor" ] || [ -n "$disks" ] || refuse "$factor copies need as many nodes: use --nodes $factor or more," \
    "or --set replication.factor=$nodes"
}

# Who builds needs nothing; who installs must be root. $1: 1 when packages may be installed.
check_user() {
  [ "$(id -u)" != 0 ] || return 0
  [ "$1" = 0 ] || [ -z "$("$root/deploy/local/install.sh" --missing 2> /dev/null)" ] || refuse "packages are missing and only root can install them:" \
    "run deploy/local/install.sh as root once, then up.sh as whom you like"
}

nearest_folder() {
  local folder=$1
  while [ ! -e "$folder" ]; do folder=$(dirname "$folder"); done
  echo "$folder"
}

free_mib() { df -Pm -- "$(nearest_folder "$1")" | awk 'NR == 2 { print $4 }'; }

check_folder() {
  local above
  [ ! -e "$data" ] || [ -d "$data" ] || refuse "$data is no folder: choose another --data"
  above=$(nearest_folder "$data")
  { [ -d "$above" ] && [ -w "$above" ] && [ -x "$above" ]; } || refuse "$above cannot be written by $(id -un): choose another --data"
  # PostgreSQL runs as a user of its own where root starts it, and must get to a folder below.
  if [ "$(id -u)" = 0 ]; then
    local folder
    folder=$(dirname "$data")
    while [ "$folder" != / ]; do
      [ ! -e "$folder" ] || may_pass "$folder" || refuse "the user postgres, who runs PostgreSQL, cannot get to $data:" \
        "$folder is closed (chmod a+x it, or choose another --data)"
      folder=$(dirname "$folder")
    done
  fi
  [ ! -e "$data/cluster.json" ] || return 0
  [ ! -d "$data" ] || [ -z "$(ls -A "$data")" ] || refuse "$data is not empty and holds no Rondel cluster: choose another --data or empty it"
  [ "$(free_mib "$data")" -ge 4096 ] || refuse "$data has $(free_mib "$data") MiB free; a new cluster needs 4096 MiB"
}

# May the user postgres search a folder? It is not there before its package is; who opens a folder to all opens it to this one.
may_pass() {
  local mode
  mode=$(stat -L -c %a "$1")
  (( (8#$mode & 1) != 0 )) || { id postgres > /dev/null 2>&1 && setpriv --reuid=postgres --regid=postgres --init-groups test -x "$1"; }
}

# Of a new cluster alone: of one that runs they are its own.
check_ports() {
  [ ! -e "$data/cluster.json" ] || return 0
  local listening offset count k
  listening=" $(awk '$4 == "0A" { split($2, place, ":"); print place[length(place)] }' /proc/net/tcp /proc/net/tcp6 2> /dev/null \
    | while read -r hex; do echo $((16#$hex)); done | tr '\n' ' ') "
  for offset in 0 100 200 300 400; do
    count=$nodes
    case $offset in 0|100|400) count=$gateways ;; esac
    for ((k = 0; k < count; k++)); do
      [[ "$listening" != *" $((port + offset + k)) "* ]] || refuse "port $((port + offset + k)) is in use: choose another --port"
    done
  done
}

# What the release preset leaves behind, and a little more.
check_room_to_build() { [ "$(free_mib "$root/build")" -ge 2048 ] || refuse "$root/build has $(free_mib "$root/build") MiB free; a build needs 2048 MiB"; }

# check_set_up INSTALLS(0|1) BUILDS(0|1) WORDS...
check_set_up() {
  local installs=$1 builds=$2
  shift 2
  read_words "$@"
  check_counts
  check_user "$installs"
  check_folder
  check_ports
  [ "$builds" = 0 ] || check_room_to_build
}
