# CPack runs this before the package is made: one date and one mode for what is
# in it, whatever the umask is (rpmbuild takes the date from the environment).
set(ENV{SOURCE_DATE_EPOCH} ${CPACK_MWAN_DATE})
execute_process(COMMAND find ${CPACK_TEMPORARY_INSTALL_DIRECTORY} -mindepth 1
	-exec touch -h -d @${CPACK_MWAN_DATE} {} + COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND find ${CPACK_TEMPORARY_INSTALL_DIRECTORY} -mindepth 1
	-type d -exec chmod 755 {} + COMMAND_ERROR_IS_FATAL ANY)
