#!/bin/bash
# The dashboard for Grafana: each expression of it is one that Prometheus can
# work out from what "mwan-rules status --prometheus" prints, and each label that
# it names is there. (Grafana itself is in no package of Debian's.)
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

promtool=$root/build/deps/prometheus/usr/bin/promtool
board=$root/etc/grafana/mwan.json

# --- a router with all that the metrics can tell ---
links_wanted ppp0 ppp1
ini '[link ppp0]' '[link ppp1]'
mwan-rules apply 2>/dev/null
for i in 0 1; do
	link_new ppp$i 10.64.$i.100 10.64.$i.1
	hook up ppp$i 10.64.$i.100
done
{
	echo "until 99999999999999"
	for i in 0 1; do
		echo "ppp$i 1 answers 1700000000 2500 12000 1 192.0.2.1 9 9 1"
	done
} >/run/mwan/watched
mwan-rules status --prometheus >"$T/metrics"

# --- its form ---
ok "it is JSON" jq -e . "$board"
is "no panel has the number or the place of another one" "$(jq -r '.panels[] |
	(.id, "\(.gridPos.x),\(.gridPos.y)")' "$board" | sort | uniq -d)" ""
is "all panels are within the 24 columns" "$(jq -r '.panels[].gridPos |
	select(.x + .w > 24)' "$board")" ""
is "no data source of one machine" "$(jq -r '[.. | .datasource? |
	objects | .uid] | unique[]' "$board")" "\${datasource}"

# expressions: with all that Grafana would put in, a line each.
expressions() {
	# shellcheck disable=SC2016 # Grafana's variables
	jq -r '.panels[].targets[].expr, .annotations.list[].expr' "$board" |
		sed 's/\$__rate_interval/5m/g; s/\$__interval/5m/g
			s/\$__range/30m/g; s/\$instance/r/g; s/\$link/.+/g'
}

# --- Prometheus works them out ---
# The figures stay as they are; counters grow, and ppp1 fails in the middle.
{
	printf 'evaluation_interval: 1m\nrule_files: [ %s ]\ntests:\n' \
		"$T/rules.yml"
	printf '  - interval: 1m\n    input_series:\n'
	sed '/^#/d; s/^\(mwan_[a-z0-9_]*\) /\1{} /
		s/^\(mwan_[a-z0-9_]*\){/\1{instance="r",job="node",/' \
		"$T/metrics" | while read -r series; do
		value=${series##* }
		case $series in
		*_total*) values="$value+6000x60" ;;
		mwan_link_up*ppp1*) values="1x50 0x10" ;;
		*) values="${value}x60" ;;
		esac
		printf "      - series: '%s'\n        values: %s\n" \
			"${series% *}" "$values"
	done | sed 's/,}/}/'
	echo '    alert_rule_test:'
} >"$T/test.yml"
echo 'groups: [ { name: board, rules: [' >"$T/rules.yml"
n=0
while read -r expr; do
	n=$((n + 1))
	jq -cn --arg e "count($expr) > 0" --arg a "Expr$n" \
		'{ alert: $a, expr: $e }' >>"$T/rules.yml"
	echo , >>"$T/rules.yml"
	printf '      - { eval_time: %s, alertname: Expr%d, exp_alerts: [ {} ] }\n' \
		52m "$n" >>"$T/test.yml"
done < <(expressions)
echo '] } ]' >>"$T/rules.yml"
like "there are expressions" "$n" '^1[0-9]$'
ok "they are PromQL" "$promtool" check rules "$T/rules.yml"
ok "each gives something for that router" "$promtool" test rules "$T/test.yml"
sed 's/mwan_link_up{/mwan_link_upp{/' "$T/rules.yml" >"$T/other.yml"
sed "s,$T/rules.yml,$T/other.yml," "$T/test.yml" >"$T/other-test.yml"
not_ok "... by a test that notices another name" \
	"$promtool" test rules "$T/other-test.yml"

# --- metrics and labels ---
while read -r metric; do
	ok "there is $metric" grep -q "^${metric}[{ ]" "$T/metrics"
done < <(jq -r '.. | strings' "$board" | grep -o 'mwan_[a-z0-9_]*' | sort -u)
labels=$( (grep -v '^#' "$T/metrics" | grep -o '[{,][a-z0-9_]*=' | tr -d '{,='
	printf 'instance\njob\n') | sort -u)
while read -r label; do
	ok "there is a label $label" grep -qx "$label" <<<"$labels"
done < <(jq -r '.. | strings' "$board" | grep -oP \
	'\{\{\K[a-z0-9_]+|[{,] ?\K[a-z0-9_]+(?==)|, \K[a-z]+(?=\)$)' | sort -u
	# The columns of the tables.
	jq -r '.panels[].transformations[]?.options.renameByName // {} | keys[]' \
		"$board" | grep -v '^Value')
# What a state is called is what it is worked out to be.
is "a name for each state" "$(jq -r '.panels[] | select(.type ==
	"state-timeline") | .fieldConfig.defaults.mappings[0].options |
	keys | join(" ")' "$board")" "0 1 2 3 4"
done_testing
