# What the build itself enforces:
#
#   module(name SOURCES a.c b.c USES other ... LINKS PkgConfig::UV)
#       a static library of the files of one folder. It sees its own headers and those of the modules
#       that USES reaches, and no others: an include across a boundary does not compile. LINKS names
#       third-party libraries, whose headers stay private to the module.
#   program(name SOURCES main.c USES ...)
#       an executable in bin/.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

find_package(Git QUIET)
set(HEAPFLEET_COMMIT "unknown")
if(GIT_FOUND AND EXISTS ${CMAKE_SOURCE_DIR}/.git)
    execute_process(COMMAND ${GIT_EXECUTABLE} -C ${CMAKE_SOURCE_DIR} rev-parse --short=12 HEAD
                    OUTPUT_VARIABLE HEAPFLEET_COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
configure_file(${CMAKE_SOURCE_DIR}/common/version.h.in ${CMAKE_BINARY_DIR}/generated/version.h)

# Flags that are part of the language we write; optimisation and sanitizers live in CMakePresets.json.
add_library(house INTERFACE)
target_compile_definitions(house INTERFACE _GNU_SOURCE)
target_compile_options(house INTERFACE
    -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
    -Wformat=2 -Wpointer-arith -Wundef -fno-common
    $<$<C_COMPILER_ID:GNU>:-Wno-format-truncation> # a text for people that is too long is meant to be cut
    "SHELL:-iquote ${CMAKE_BINARY_DIR}/generated"
    "SHELL:-include ${CMAKE_SOURCE_DIR}/common/banned.h")

function(module name)
    cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "SOURCES;USES;LINKS")
    add_library(${name} STATIC ${ARG_SOURCES})
    target_link_libraries(${name} PUBLIC ${ARG_USES} PRIVATE house ${ARG_LINKS})
    target_compile_options(${name} PUBLIC "SHELL:-iquote ${CMAKE_CURRENT_SOURCE_DIR}")
    file(RELATIVE_PATH folder ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
    set_property(GLOBAL PROPERTY "MODULE_OF_${folder}" ${name})
endfunction()

function(program name)
    cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "SOURCES;USES;LINKS")
    add_executable(${name} ${ARG_SOURCES})
    target_link_libraries(${name} PRIVATE house ${ARG_USES} ${ARG_LINKS})
    target_compile_options(${name} PRIVATE "SHELL:-iquote ${CMAKE_CURRENT_SOURCE_DIR}")
endfunction()

# PkgConfig::NAME for LINKS. In a static build it is the archives of pkg-config's static answer, in one
# group because gRPC's and abseil's refer to each other both ways.
# Packages that describe the archives apart, or what they leave out, follow.
macro(third_party name package)
    if(HEAPFLEET_STATIC)
        set(archive_packages ${ARGN})
        if(NOT archive_packages)
            set(archive_packages ${package})
        endif()
        pkg_check_modules(${name} REQUIRED ${archive_packages})
        add_library(PkgConfig::${name} INTERFACE IMPORTED)
        target_include_directories(PkgConfig::${name} INTERFACE ${${name}_STATIC_INCLUDE_DIRS})
        list(JOIN ${name}_STATIC_LIBRARIES "," archives)
        target_link_libraries(PkgConfig::${name} INTERFACE
            $<LINK_GROUP:RESCAN,${archives},stdc++,m>)
    else()
        pkg_check_modules(${name} REQUIRED IMPORTED_TARGET ${package})
    endif()
endmacro()
