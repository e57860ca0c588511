# What "cmake --install" does, and the target uninstall; included by the top
# CMakeLists.txt, behind the targets. DESTDIR and --prefix are obeyed.
#
# pppd looks for its hooks in /etc/ppp and nowhere else. There they are links to
# the programs in libexec/mwan, those of IPv6 to the same ones, and by its being such a link a hook is known as
# ours: what is not is never overwritten. Neither is a configuration: samples
# go to share/doc/mwan, and /etc/ppp/mwan.ini is the administrator's alone.

set(MWAN_PPP_DIR /etc/ppp CACHE PATH "Where pppd looks for its hooks")
option(MWAN_DEB "Lay the files out as a .deb has them (the preset deb)" OFF)
option(MWAN_RPM "Lay the files out as an .rpm has them (the preset rpm)" OFF)
set(MWAN_MAINTAINER "The mwan authors <mwan@example.org>" CACHE STRING
	"Who answers for a package: put your own address here")
set(mwan_libexec ${CMAKE_INSTALL_LIBEXECDIR}/mwan)
set(mwan_doc ${CMAKE_INSTALL_DATADIR}/doc/mwan)

# First of all, so that a refusal leaves everything as it was. Debian's and
# OpenWrt's pppd run the links in ip-up.d; there an ip-up.local would keep
# other packages' hooks from running. 0000mwan is the first of them: what comes
# before it, the default routes would wait for.
if(NOT MWAN_DEB AND NOT MWAN_RPM)
	install(CODE "
	set(ppp \"\$ENV{DESTDIR}${MWAN_PPP_DIR}\")
	set(libexec \"\${CMAKE_INSTALL_PREFIX}/${mwan_libexec}\")
	set(sbin \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}\")
	string(APPEND sbin \"/${CMAKE_INSTALL_SBINDIR}\")
	set(foreign \"\")
	foreach(what ip-up ip-down ipv6-up ipv6-down)
		string(REPLACE ipv6 ip tool \"\${what}.local\")
		set(hook \"\${ppp}/\${what}.local\")
		if(IS_DIRECTORY \"\${ppp}/\${what}.d\")
			set(link_\${what} \"\${ppp}/\${what}.d/0000mwan\")
		else()
			set(link_\${what} \"\${hook}\")
		endif()
		foreach(path \"\${hook}\" \"\${link_\${what}}\")
			set(to \"\")
			if(IS_SYMLINK \"\${path}\")
				file(READ_SYMLINK \"\${path}\" to)
			elseif(NOT EXISTS \"\${path}\")
				continue()
			endif()
			if(NOT to MATCHES \"/mwan/\${tool}\$\")
				list(APPEND foreign \"\${path}\")
			elseif(NOT to STREQUAL \"\${libexec}/\${tool}\"
			       AND EXISTS \"\$ENV{DESTDIR}\${to}\")
				message(FATAL_ERROR \"mwan is installed \"
					\"elsewhere already, since \${path} \"
					\"leads to \${to}, so nothing was \"
					\"installed. Remove that first: apt \"
					\"remove mwan, or the target uninstall \"
					\"where it was built\")
			endif()
		endforeach()
	endforeach()
	foreach(path \"\${sbin}/cprt\" \"\${sbin}/mwan-rules\")
		if(EXISTS \"\${path}\")
			file(READ \"\${path}\" start LIMIT 4 HEX)
			if(NOT start STREQUAL 7f454c46) # ELF: no script
				list(APPEND foreign \"\${path}\")
			endif()
		endif()
	endforeach()
	if(foreign)
		list(GET foreign 0 path)
		message(FATAL_ERROR \"\${path} is there and is not ours, \"
			\"so nothing was installed. Keep it under another \"
			\"name and install again: \"
			\"mv \${path} \${path}.before-mwan\")
	endif()
	")
endif()

set(mwan_tools mwan-rules)
if(TARGET cprt)
	list(APPEND mwan_tools cprt)
endif()
install(TARGETS ${mwan_tools} DESTINATION ${CMAKE_INSTALL_SBINDIR})
install(TARGETS ip-up.local ip-down.local DESTINATION ${mwan_libexec})

file(GLOB mwan_man8 ${CMAKE_CURRENT_SOURCE_DIR}/cmd/*.8)
file(WRITE ${CMAKE_BINARY_DIR}/ip-down.local.8 ".so man8/ip-up.local.8\n")
install(FILES ${mwan_man8} ${CMAKE_BINARY_DIR}/ip-down.local.8
	DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
install(FILES cmd/mwan.ini.5 DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)

# systemd wants to know where the program is.
foreach(name mwan-rules mwan-watch)
	file(READ etc/${name}.service unit)
	string(REPLACE "/usr/local/sbin" "${CMAKE_INSTALL_FULL_SBINDIR}" unit
		"${unit}")
	file(WRITE ${CMAKE_BINARY_DIR}/${name}.service "${unit}")
	install(FILES ${CMAKE_BINARY_DIR}/${name}.service
		DESTINATION lib/systemd/system)
endforeach()

install(FILES etc/bash-completion/mwan-rules
	DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
# Debian's zsh looks for what packages bring in a place of its own.
set(mwan_zsh zsh/site-functions)
if(MWAN_DEB)
	set(mwan_zsh zsh/vendor-completions)
endif()
install(FILES etc/zsh-completion/_mwan-rules
	DESTINATION ${CMAKE_INSTALL_DATADIR}/${mwan_zsh})

install(FILES README.md README.zh-CN.md DESTINATION ${mwan_doc})
install(DIRECTORY doc DESTINATION ${mwan_doc})
# The README shows it, by that name.
install(FILES t/failover.svg DESTINATION ${mwan_doc}/t)
install(DIRECTORY etc/ DESTINATION ${mwan_doc}/examples
	USE_SOURCE_PERMISSIONS PATTERN mwan-*.service EXCLUDE
	PATTERN bash-completion EXCLUDE PATTERN zsh-completion EXCLUDE)
install(DIRECTORY pkg/selinux DESTINATION ${mwan_doc}/examples)

if(MWAN_DEB)
	include(cmake/package.cmake)
	return()
elseif(MWAN_RPM)
	include(cmake/rpm.cmake)
	return()
endif()

# The links; one that an earlier installation made elsewhere goes.
install(CODE "
	foreach(what ip-up ip-down ipv6-up ipv6-down)
		string(REPLACE ipv6 ip tool \"\${what}.local\")
		set(hook \"\${ppp}/\${what}.local\")
		if(NOT link_\${what} STREQUAL hook)
			file(REMOVE \"\${hook}\")
		endif()
		get_filename_component(dir \"\${link_\${what}}\" DIRECTORY)
		file(MAKE_DIRECTORY \"\${dir}\")
		file(REMOVE \"\${link_\${what}}\")
		file(CREATE_LINK \"\${libexec}/\${tool}\"
			\"\${link_\${what}}\" SYMBOLIC)
		message(STATUS \"Hook: \${link_\${what}}\")
		string(LENGTH \"\$ENV{DESTDIR}\" skip)
		string(SUBSTRING \"\${link_\${what}}\" \${skip} -1 path)
		list(APPEND CMAKE_INSTALL_MANIFEST_FILES \"\${path}\")
	endforeach()
")

# One that a person has changed stays.
install(CODE "
	set(ours \"${CMAKE_CURRENT_SOURCE_DIR}/etc/logrotate/mwan\")
	set(theirs \"\$ENV{DESTDIR}/etc/logrotate.d/mwan\")
	file(READ \"\${ours}\" text)
	set(old \"\${text}\")
	if(EXISTS \"\${theirs}\")
		file(READ \"\${theirs}\" old)
	endif()
	if(old STREQUAL text)
		file(INSTALL \"\${ours}\" DESTINATION /etc/logrotate.d)
	else()
		message(STATUS \"Kept: \${theirs}\")
	endif()
")
install(FILES LICENSE DESTINATION ${mwan_doc})

configure_file(cmake/uninstall.cmake.in uninstall.cmake @ONLY)
add_custom_target(uninstall
	COMMAND ${CMAKE_COMMAND} -P ${CMAKE_BINARY_DIR}/uninstall.cmake)
