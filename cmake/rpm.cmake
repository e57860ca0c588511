# What an .rpm has beside "cmake --install", or otherwise: the preset "rpm" sets
# MWAN_RPM and makes the package. Included by install.cmake.

set(mwan_rpm ${CMAKE_CURRENT_SOURCE_DIR}/cmake/rpm)

# Red Hat's ip-up calls ip-up.local, its ipv6-up ipv6-up.local; there is no
# directory of hooks.
foreach(what ip-up ip-down ipv6-up ipv6-down)
	string(REPLACE ipv6 ip tool ${what}.local)
	install(CODE "
		set(dir \"\$ENV{DESTDIR}${MWAN_PPP_DIR}\")
		file(MAKE_DIRECTORY \"\${dir}\")
		file(CREATE_LINK
			\"${CMAKE_INSTALL_FULL_LIBEXECDIR}/mwan/${tool}\"
			\"\${dir}/${what}.local\" SYMBOLIC)
	")
endforeach()
install(FILES etc/logrotate/mwan DESTINATION /etc/logrotate.d)
install(FILES LICENSE DESTINATION ${mwan_doc})
install(CODE "
	file(GLOB pages
		\"\$ENV{DESTDIR}${CMAKE_INSTALL_FULL_MANDIR}/man*/*\")
	execute_process(COMMAND gzip -9nf \${pages}
		COMMAND_ERROR_IS_FATAL ANY)
")

set(CPACK_GENERATOR RPM)
# Files in /etc have absolute names.
set(CPACK_SET_DESTDIR ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_VENDOR "The mwan authors")
set(CPACK_RPM_FILE_NAME RPM-DEFAULT)
set(CPACK_RPM_COMPRESSION_TYPE xz)
set(CPACK_RPM_PACKAGE_RELEASE 1)
set(CPACK_RPM_PACKAGE_LICENSE MIT)
set(CPACK_RPM_PACKAGE_GROUP "System Environment/Base")
set(CPACK_RPM_PACKAGE_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_RPM_PACKAGE_DESCRIPTION
"Shares two or more PPPoE lines of a router among the hosts of its LAN, and
keeps them online when a line fails: the kernel is kept prepared by hooks of
pppd, so that no process has to notice a failure first. Established
connections stay on their line.")
set(CPACK_RPM_PACKAGE_REQUIRES ppp)
# Static programs need no library.
if(MWAN_STATIC)
	set(CPACK_RPM_PACKAGE_AUTOREQ " no")
endif()
set(CPACK_RPM_USER_FILELIST
	"%config(noreplace) /etc/logrotate.d/mwan")
# Directories of other packages.
set(CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION /etc/ppp /etc/logrotate.d
	/usr/sbin /usr/libexec /usr/share/man /usr/share/man/man5 /usr/share/man/man8
	/usr/lib/systemd /usr/lib/systemd/system
	/usr/share/bash-completion /usr/share/bash-completion/completions
	/usr/share/zsh /usr/share/zsh/site-functions)
set(CPACK_RPM_PRE_INSTALL_SCRIPT_FILE ${mwan_rpm}/pre)
set(CPACK_RPM_POST_INSTALL_SCRIPT_FILE ${mwan_rpm}/post)
set(CPACK_RPM_PRE_UNINSTALL_SCRIPT_FILE ${mwan_rpm}/preun)
set(CPACK_RPM_POST_UNINSTALL_SCRIPT_FILE ${mwan_rpm}/postun)
# CPack has no variables for the first two. The rest: the same package, wherever
# and whenever it is built.
set(CPACK_RPM_SPEC_MORE_DEFINE
"Recommends: logrotate
%define packager ${MWAN_MAINTAINER}
%define use_source_date_epoch_as_buildtime 1
%define clamp_mtime_to_source_date_epoch 1
%define _buildhost reproducible
%define _build_id_links none
%define __os_install_post %{nil}")
if(DEFINED ENV{SOURCE_DATE_EPOCH})
	set(CPACK_MWAN_DATE $ENV{SOURCE_DATE_EPOCH})
else()
	file(STRINGS ${CMAKE_CURRENT_SOURCE_DIR}/cmake/debian/changelog.in date
		REGEX "^ -- ")
	string(REGEX REPLACE "^ -- .*  " "" date "${date}")
	execute_process(COMMAND date -u -d ${date} +%s
		OUTPUT_VARIABLE CPACK_MWAN_DATE
		OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
endif()
set(CPACK_PRE_BUILD_SCRIPTS ${mwan_rpm}/date.cmake)
include(CPack)
