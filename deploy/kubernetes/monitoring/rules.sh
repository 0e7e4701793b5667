#!/usr/bin/env bash
# Prints the alerts as a PrometheusRule:  ./rules.sh | kubectl -n rondel apply -f -
set -euo pipefail
cd "$(dirname "$0")"
printf 'apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: rondel\nspec:\n'
sed 's/^/  /' ../../monitoring/rules.yaml
