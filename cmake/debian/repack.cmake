# CPack runs this when the package is made, for what CPack knows nothing of:
# Built-Using, in which a package names the sources of what is linked into it
# (Debian's policy, 7.8), and one date for all files, without which no two builds
# are the same.
set(ENV{SOURCE_DATE_EPOCH} ${CPACK_MWAN_DATE})
foreach(deb ${CPACK_PACKAGE_FILES})
	set(dir ${deb}.tree)
	execute_process(COMMAND dpkg-deb -R ${deb} ${dir}
		COMMAND_ERROR_IS_FATAL ANY)
	# CPack ends it in an empty line, which would begin another package.
	file(READ ${dir}/DEBIAN/control control)
	string(STRIP "${control}" control)
	if(CPACK_MWAN_BUILT_USING)
		string(APPEND control
			"\nBuilt-Using: ${CPACK_MWAN_BUILT_USING}")
	endif()
	file(WRITE ${dir}/DEBIAN/control "${control}\n")
	# In the order in which the file system happens to list them.
	file(STRINGS ${dir}/DEBIAN/md5sums sums)
	list(SORT sums)
	list(JOIN sums "\n" sums)
	file(WRITE ${dir}/DEBIAN/md5sums "${sums}\n")
	# Whatever the umask is.
	execute_process(COMMAND find ${dir} -type d -exec chmod 755 {} +
		COMMAND_ERROR_IS_FATAL ANY)
	execute_process(COMMAND find ${dir} -exec touch -h -d
		@${CPACK_MWAN_DATE} {} + COMMAND_ERROR_IS_FATAL ANY)
	execute_process(COMMAND dpkg-deb --root-owner-group -b ${dir} ${deb}
		OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
	file(REMOVE_RECURSE ${dir})
endforeach()
