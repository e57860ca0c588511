# mwan_sources: the source packages of the static libraries, as Built-Using names
# them. What t/setup has unpacked into build/deps is of no installed package.

# source_of(LIBRARY PACKAGE [UNPACKED]): add the source of a static library.
function(source_of library package unpacked)
	string(FIND "${library}" "${DEPS}/" found)
	if(found EQUAL 0)
		set(log ${unpacked}/usr/share/doc/${package}/changelog.Debian.gz)
		execute_process(COMMAND dpkg-parsechangelog -l ${log} -S Source
			OUTPUT_VARIABLE source
			OUTPUT_STRIP_TRAILING_WHITESPACE
			COMMAND_ERROR_IS_FATAL ANY)
		execute_process(COMMAND dpkg-parsechangelog -l ${log} -S Version
			OUTPUT_VARIABLE version
			OUTPUT_STRIP_TRAILING_WHITESPACE
			COMMAND_ERROR_IS_FATAL ANY)
		set(text "${source} (= ${version})")
	else()
		execute_process(COMMAND dpkg-query -W -f
			"\${source:Package} (= \${source:Version})" ${package}
			OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
	endif()
	set(mwan_sources ${mwan_sources} ${text} PARENT_SCOPE)
endfunction()

if(MWAN_TRIPLET)
	set(unpacked ${DEPS}/${MWAN_TRIPLET})
else()
	set(unpacked ${DEPS}/libmnl)
endif()
source_of("${MNL_A}" libmnl-dev ${unpacked})
source_of("${INIH_A}" libinih-dev ${unpacked})
if(MWAN_TRIPLET)
	# The C library of a cross compiler is built from glibc's source, which
	# that package names.
	execute_process(COMMAND dpkg-query -W -f "\${Built-Using}"
		libc6-dev-${CPACK_DEBIAN_PACKAGE_ARCHITECTURE}-cross
		OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
	string(REGEX MATCH "glibc \\(= [^)]*\\)" text "${text}")
	list(APPEND mwan_sources ${text})
else()
	source_of("" libc6-dev "")
endif()
list(JOIN mwan_sources ", " mwan_sources)
