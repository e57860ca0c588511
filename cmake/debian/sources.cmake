# mwan_sources: the source packages of the static libraries, as Built-Using names
# them. t/setup's libmnl.a comes from a package that is not installed.
set(packages libinih-dev libc6-dev)
string(FIND "${MNL_A}" "${DEPS}/" unpacked)
if(unpacked EQUAL 0)
	execute_process(COMMAND dpkg-parsechangelog
		-l ${DEPS}/libmnl/usr/share/doc/libmnl-dev/changelog.Debian.gz
		-S Version OUTPUT_VARIABLE version
		OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
	set(mwan_sources "libmnl (= ${version}), ")
else()
	list(APPEND packages libmnl-dev)
endif()
execute_process(COMMAND dpkg-query -W
	-f "\${source:Package} (= \${source:Version}), " ${packages}
	OUTPUT_VARIABLE installed COMMAND_ERROR_IS_FATAL ANY)
string(REGEX REPLACE ", $" "" mwan_sources "${mwan_sources}${installed}")
