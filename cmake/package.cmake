# What a .deb has beside "cmake --install", or otherwise: the preset "deb" sets
# MWAN_DEB and makes the package. Included by install.cmake.

set(mwan_debian ${CMAKE_CURRENT_SOURCE_DIR}/cmake/debian)

# dpkg puts the links there and takes them away. 0000mwan comes before ppp's own
# 0000usepeerdns, so that resolv.conf is not waited for.
foreach(what ip-up ip-down ipv6-up ipv6-down)
	string(REPLACE ipv6 ip tool ${what}.local)
	install(CODE "
		set(dir \"\$ENV{DESTDIR}${MWAN_PPP_DIR}/${what}.d\")
		file(MAKE_DIRECTORY \"\${dir}\")
		file(CREATE_LINK
			\"${CMAKE_INSTALL_FULL_LIBEXECDIR}/mwan/${tool}\"
			\"\${dir}/0000mwan\" SYMBOLIC)
	")
endforeach()
install(FILES etc/logrotate/mwan DESTINATION /etc/logrotate.d)

# Debian's policy wants these, the last three compressed (12.3, 12.7).
install(FILES ${mwan_debian}/copyright DESTINATION ${mwan_doc})
install(FILES ${mwan_debian}/lintian-overrides
	DESTINATION share/lintian/overrides RENAME mwan)
configure_file(${mwan_debian}/changelog.in changelog @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/changelog DESTINATION ${mwan_doc})
install(CODE "
	set(share \"\$ENV{DESTDIR}${CMAKE_INSTALL_FULL_DATADIR}\")
	file(GLOB pages \"\${share}/man/man*/*\")
	execute_process(COMMAND gzip -9nf \${pages}
		\"\${share}/doc/mwan/changelog\" COMMAND_ERROR_IS_FATAL ANY)
")

set(CPACK_GENERATOR DEB)
# Files in /etc have absolute names.
set(CPACK_SET_DESTDIR ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_CONTACT ${MWAN_MAINTAINER})
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
if(MWAN_TRIPLET)
	execute_process(COMMAND dpkg-architecture -f -t ${MWAN_TRIPLET}
		-q DEB_HOST_ARCH
		OUTPUT_VARIABLE CPACK_DEBIAN_PACKAGE_ARCHITECTURE
		OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
endif()
# Static programs, though a distribution likes shared ones better: pppd starts
# the hooks as root with an environment that others can write to (LD_PRELOAD
# before pppd 2.5.3), and their start is most of their time.
if(MWAN_STATIC)
	set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS OFF)
	include(cmake/debian/sources.cmake)
	set(CPACK_MWAN_BUILT_USING ${mwan_sources})
else()
	set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
endif()
# The date in the changelog is the package's: no file of it is younger, so that
# the same sources make the same package at any time.
if(DEFINED ENV{SOURCE_DATE_EPOCH})
	set(CPACK_MWAN_DATE $ENV{SOURCE_DATE_EPOCH})
else()
	execute_process(COMMAND dpkg-parsechangelog
		-l ${CMAKE_BINARY_DIR}/changelog -S Timestamp
		OUTPUT_VARIABLE CPACK_MWAN_DATE
		OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
endif()
set(CPACK_POST_BUILD_SCRIPTS ${mwan_debian}/repack.cmake)
set(CPACK_DEBIAN_PACKAGE_DEPENDS ppp)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS logrotate)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"Shares two or more PPPoE lines of a router among the hosts of its LAN, and
keeps them online when a line fails: the kernel is kept prepared by hooks of
pppd, so that no process has to notice a failure first. Established
connections stay on their line.")
foreach(file preinst postinst prerm postrm conffiles)
	list(APPEND CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${mwan_debian}/${file})
endforeach()
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
