# shellcheck shell=bash
# shellcheck disable=SC2154	# of lib.sh
# firewalld itself, on a bus of its own. Its programs lie where t/setup has unpacked
# them: installed, it would begin to guard the machine that the test runs on. After
# lib.sh.

F=$root/build/deps/firewalld
firewalld_pids=()

# firewalld ZONE INTERFACE...: it begins, with these interfaces in these zones.
firewalld() {
	mkdir -p /run/dbus
	cat >"$T/bus.conf" <<-'END'
	<busconfig>
	<type>system</type>
	<listen>unix:path=/run/dbus/system_bus_socket</listen>
	<policy context="default">
	<allow own="*"/><allow send_destination="*" eavesdrop="true"/>
	<allow eavesdrop="true"/>
	</policy>
	</busconfig>
	END
	dbus-daemon --config-file="$T/bus.conf" --nofork --nopidfile \
		2>"$T/bus.log" &
	firewalld_pids=($!)
	mkdir "$T/config" && mount --bind "$T/config" "$F/etc/firewalld"
	wait_for 9 [ -S /run/dbus/system_bus_socket ]
	(
		export PYTHONPATH=$F/usr/lib/python3/dist-packages
		exec /usr/bin/python3 "$F/usr/sbin/firewalld" --nofork --nopid \
			--default-config "$F/usr/lib/firewalld" \
			--system-config "$F/etc/firewalld" \
			--log-file "$T/firewalld.log" >/dev/null 2>&1
	) &
	firewalld_pids+=($!)
	wait_for 60 firewall_cmd --state || cat "$T/firewalld.log"
	while [ $# -gt 0 ]; do
		firewall_cmd --zone="$1" --add-interface="$2"
		shift 2
	done
	firewall_cmd --runtime-to-permanent
}

firewalld_end() {
	kill "${firewalld_pids[@]}"
	wait "${firewalld_pids[@]}"
	umount "$F/etc/firewalld"
}

firewall_cmd() {
	PYTHONPATH=$F/usr/lib/python3/dist-packages \
		/usr/bin/python3 "$F/usr/bin/firewall-cmd" -q "$@"
}
