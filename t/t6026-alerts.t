#!/bin/bash
# The alert rules for Prometheus, with an outage in them, and that they ask for
# metrics that there are.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

promtool=$root/build/deps/prometheus/usr/bin/promtool
rules=$root/etc/prometheus/mwan.rules.yml

ok "promtool has nothing to say" "$promtool" check rules "$rules"
# A value a minute: ppp0 fails in the 10th, then both do; ppp2 is drained.
cat >"$T/test.yml" <<END
rule_files: [ $rules ]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - series: mwan_link_up{instance="r",link="ppp0"}
        values: 1x9 0x20
      - series: mwan_link_up{instance="r",link="ppp1"}
        values: 1x19 0x10
      - series: mwan_link_up{instance="r",link="ppp2"}
        values: 0x30
      - series: mwan_link_drained{instance="r",link="ppp0"}
        values: 0x30
      - series: mwan_link_drained{instance="r",link="ppp1"}
        values: 0x30
      - series: mwan_link_drained{instance="r",link="ppp2"}
        values: 1x30
      - series: mwan_link_held{instance="r",link="ppp1"}
        values: 0x9 1x9 0x10
      - series: mwan_link_since_seconds{instance="r",link="ppp1"}
        values: 0+60x9 600x20
      - series: mwan_status{instance="r"}
        values: 0x9 1x9 2x10
      - series: mwan_problems{instance="r"}
        values: 0x9 1x9 3x10
    alert_rule_test:
      - { eval_time: 9m, alertname: MwanLinkDown, exp_alerts: [] }
      - { eval_time: 11m, alertname: MwanLinkDown, exp_alerts: [] }
      - eval_time: 13m
        alertname: MwanLinkDown
        exp_alerts:
          - exp_labels: { instance: r, link: ppp0, severity: warning }
            exp_annotations: { summary: ppp0 of r is down }
      - { eval_time: 15m, alertname: MwanNoLink, exp_alerts: [] }
      - eval_time: 22m
        alertname: MwanNoLink
        exp_alerts:
          - exp_labels: { instance: r, severity: critical }
            exp_annotations: { summary: r has no link that is up }
      - { eval_time: 5m, alertname: MwanLinkHeld, exp_alerts: [] }
      - eval_time: 13m
        alertname: MwanLinkHeld
        exp_alerts:
          - exp_labels: { instance: r, link: ppp1, severity: warning }
            exp_annotations: { summary: ppp1 of r is up and leads nowhere }
      - { eval_time: 3m, alertname: MwanLinkFlaps, exp_alerts: [] }
      - eval_time: 8m
        alertname: MwanLinkFlaps
        exp_alerts:
          - exp_labels: { instance: r, link: ppp1, severity: warning }
            exp_annotations: { summary: ppp1 of r went up or down 8 times in an hour }
      - { eval_time: 19m, alertname: MwanDegraded, exp_alerts: [] }
      - { eval_time: 19m, alertname: MwanBroken, exp_alerts: [] }
  - interval: 1m
    input_series:
      - series: mwan_status{instance="r"}
        values: 1x20 78x20
      - series: mwan_problems{instance="r"}
        values: 2x40
    alert_rule_test:
      - { eval_time: 10m, alertname: MwanDegraded, exp_alerts: [] }
      - eval_time: 16m
        alertname: MwanDegraded
        exp_alerts:
          - exp_labels: { instance: r, severity: warning }
            exp_annotations: { summary: "r: mwan-rules status complains of 2 things" }
      - { eval_time: 30m, alertname: MwanDegraded, exp_alerts: [] }
      - eval_time: 30m
        alertname: MwanBroken
        exp_alerts:
          - exp_labels: { instance: r, severity: critical }
            exp_annotations: { summary: "r: mwan-rules status fails with 78" }
END
ok "an outage, and what is told of it" "$promtool" test rules "$T/test.yml"
sed 's/for: 2m/for: 9m/' "$rules" >"$T/other.yml"
sed "s,$rules,$T/other.yml," "$T/test.yml" >"$T/other-test.yml"
not_ok "... by a test that can fail" "$promtool" test rules "$T/other-test.yml"
links_wanted ppp0
ini '[link ppp0]'
mwan-rules apply 2>/dev/null
link_new ppp0 10.64.1.100 10.64.1.1
hook up ppp0 10.64.1.100 10.64.1.1
mwan-rules status --prometheus >"$T/metrics"
while read -r metric; do
	ok "there is $metric" grep -q "^${metric}[{ ]" "$T/metrics"
done < <(grep -o 'mwan_[a-z_]*' "$rules" | sort -u)
done_testing
