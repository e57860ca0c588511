# CPack runs this when the package is made: CPack knows no Built-Using, in which
# a package names the sources of what is linked into it (Debian's policy, 7.8).
foreach(deb ${CPACK_PACKAGE_FILES})
	set(dir ${deb}.tree)
	execute_process(COMMAND dpkg-deb -R ${deb} ${dir}
		COMMAND_ERROR_IS_FATAL ANY)
	# CPack ends it in an empty line, which would begin another package.
	file(READ ${dir}/DEBIAN/control control)
	string(STRIP "${control}" control)
	file(WRITE ${dir}/DEBIAN/control
		"${control}\nBuilt-Using: ${CPACK_MWAN_BUILT_USING}\n")
	execute_process(COMMAND dpkg-deb --root-owner-group -b ${dir} ${deb}
		OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
	file(REMOVE_RECURSE ${dir})
endforeach()
