#!/bin/bash
# The script that draws the live view and the history: it works, and its pictures
# show what they are to show and need nothing from elsewhere.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

mkdir "$T/to"
ok "it draws" "$root/t/lab/screens" "$T/to"
for dir in "$T/to" "$root/t"; do
	for name in live history; do
		file=$dir/$name.svg
		ok "$file is XML" xmllint --noout "$file"
		is "... for a page" "$(grep -oE 'https?:[^"]*|<(image|script|use)' \
			"$file")" http://www.w3.org/2000/svg
		ok "... light and dark" grep -q 'prefers-color-scheme: dark' "$file"
		like "... small" "$(wc -c <"$file")" '^[1-9][0-9]{3,4}$'
	done
	live=$(sed 's/\xc2\xa0/ /g; s/<[^>]*>//g' "$dir/live.svg")
	like "the live view: rates" "$live" 'IN b/s +OUT b/s +FLOWS'
	like "... bars" "$live" 'ppp0 +\[#+\.+\] +[1-9][0-9]?% of 64'
	like "... loss and latency" "$live" '2\.5% +31\.2 ms'
	like "... what is wrong" "$live" 'ppp2 is down'
	is "the history: a row for each link" "$(grep -o '>ppp[0-9]<' \
		"$dir/history.svg" | sort -u | tr -d '<>' | paste -sd' ')" \
		"ppp0 ppp1 ppp2"
	for class in down held drained; do
		ok "... what was $class" grep -q "class=\"$class\"" \
			"$dir/history.svg"
	done
done
done_testing
