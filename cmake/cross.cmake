# Building for another machine with Debian's cross compiler and the libraries that
# "t/setup cross" keeps in build/deps/TRIPLET:
#
#	cmake --toolchain cmake/cross.cmake -DMWAN_TRIPLET=aarch64-linux-gnu

list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES MWAN_TRIPLET)
set(CMAKE_SYSTEM_NAME Linux)
string(REGEX REPLACE "-.*" "" CMAKE_SYSTEM_PROCESSOR "${MWAN_TRIPLET}")
set(CMAKE_C_COMPILER ${MWAN_TRIPLET}-gcc)
set(CMAKE_STRIP ${MWAN_TRIPLET}-strip)
set(CMAKE_OBJCOPY ${MWAN_TRIPLET}-objcopy)

get_filename_component(cross_deps ${CMAKE_CURRENT_LIST_DIR}/../build/deps ABSOLUTE)
set(cross_deps ${cross_deps}/${MWAN_TRIPLET})
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${cross_deps})
set(ENV{PKG_CONFIG_LIBDIR} ${cross_deps}/usr/lib/${MWAN_TRIPLET}/pkgconfig)
