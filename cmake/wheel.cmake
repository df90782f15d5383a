# The engine inside the Python wheel: library, module and program with all linked in that a machine may lack. They are made of the
# objects of the others, so that only the linking is done again; all are built, and laid down, on request alone (./dev wheel).
set(wheel_depends ${METAFLOW_LAYER_DEPENDS})
list(REMOVE_DUPLICATES wheel_depends)
list(REMOVE_ITEM wheel_depends fmt::fmt) # a shared library in Debian; src/fmt_inside.cpp stands in for it

function(metaflow_for_wheel target name rpath)
  metaflow_warnings(${target})
  target_include_directories(${target} PRIVATE include src $<TARGET_PROPERTY:fmt::fmt,INTERFACE_INCLUDE_DIRECTORIES>)
  target_link_libraries(${target} PRIVATE ${wheel_depends})
  # libgcc stays shared, as the archive's unwinder asks for glibc 2.35; with unused sections libstdc++'s random device goes, which
  # asks for 2.36.
  target_link_options(${target} PRIVATE -static-libstdc++ -Wl,--exclude-libs,ALL -Wl,--gc-sections -Wl,-z,now
                      -Wl,-Bsymbolic-functions)
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${name} EXCLUDE_FROM_ALL ON BUILD_RPATH_USE_ORIGIN ON
                        LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/wheel
                        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/wheel/bin INSTALL_RPATH ${rpath})
endfunction()

add_library(metaflow_wheel SHARED src/library.cpp src/fmt_inside.cpp ${METAFLOW_LAYER_OBJECTS})
metaflow_for_wheel(metaflow_wheel metaflow "$ORIGIN")
set(exported ${PROJECT_SOURCE_DIR}/cmake/wheel.map)
target_link_options(metaflow_wheel PRIVATE -Wl,--version-script=${exported})
set_target_properties(metaflow_wheel PROPERTIES LINK_DEPENDS ${exported})
add_executable(metaflow_wheel_program src/cli/metaflow_main.cpp src/fmt_inside.cpp ${METAFLOW_LAYER_OBJECTS})
metaflow_for_wheel(metaflow_wheel_program metaflow "$ORIGIN/..")

# The cloud module, with a small curl inside that ./dev wheel makes; Debian's asks for thirty libraries.
set(METAFLOW_WHEEL_CURL ${PROJECT_SOURCE_DIR}/build/curl/installed/lib/libcurl.a CACHE FILEPATH "Static libcurl for the wheel")
find_library(pugixml_archive libpugixml.a)
set(module_layers base model storage batch gateway network aws cloud)
list(TRANSFORM module_layers REPLACE "(.+)" "$<TARGET_OBJECTS:metaflow_\\1>")
add_library(metaflow_wheel_cloud MODULE src/fmt_inside.cpp ${module_layers})
target_link_libraries(metaflow_wheel_cloud PRIVATE ${METAFLOW_WHEEL_CURL} ${pugixml_archive} OpenSSL::SSL)
metaflow_for_wheel(metaflow_wheel_cloud metaflow_cloud "$ORIGIN")
target_link_options(metaflow_wheel_cloud PRIVATE -Wl,--version-script=${METAFLOW_MODULE_EXPORTS})
set_target_properties(metaflow_wheel_cloud PROPERTIES LINK_DEPENDS ${METAFLOW_MODULE_EXPORTS})

set(in_wheel COMPONENT wheel EXCLUDE_FROM_ALL)
install(TARGETS metaflow_wheel metaflow_wheel_cloud LIBRARY DESTINATION metaflow ${in_wheel})
install(TARGETS metaflow_wheel_program RUNTIME DESTINATION metaflow/bin ${in_wheel})
install(DIRECTORY bindings/python/metaflow DESTINATION . ${in_wheel} FILES_MATCHING PATTERN "*.py" PATTERN "py.typed"
        PATTERN "__pycache__" EXCLUDE)
metaflow_install_tutorials(python metaflow/tutorials ${in_wheel})

# Debian has no archive of it, so it comes along beside the library.
find_library(isal_shared_library libisal.so.2)
if(isal_shared_library)
  file(REAL_PATH ${isal_shared_library} isal_file)
  install(FILES ${isal_file} DESTINATION metaflow RENAME libisal.so.2 ${in_wheel})
endif()

# Whose licences ask to be named where their code goes.
install(FILES LICENSE DESTINATION licenses ${in_wheel})
foreach(package libisal2 libssl-dev libfmt-dev nlohmann-json3-dev libcli11-dev libstdc++-12-dev
        libcurl4-openssl-dev libpugixml-dev)
  if(EXISTS /usr/share/doc/${package}/copyright)
    install(FILES /usr/share/doc/${package}/copyright DESTINATION licenses RENAME ${package} ${in_wheel})
  endif()
endforeach()
