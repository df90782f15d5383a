# What `cmake --install` lays down: program, library and its module, headers, CMake package, pkg-config file, tutorials, licence. Nothing in it knows the
# prefix, so the tree may be moved afterwards.
include(CMakePackageConfigHelpers)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/metaflow)

install(TARGETS metaflow EXPORT metaflow LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS metaflow_cloud_module LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS metaflow_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY include/metaflow DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# Targets need nothing but the library, so the exported file can be the package itself.
install(EXPORT metaflow NAMESPACE metaflow:: FILE metaflow-config.cmake DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/metaflow-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/metaflow-config-version.cmake DESTINATION ${package_folder})

file(RELATIVE_PATH METAFLOW_PREFIX_FROM_PKGCONFIG /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/metaflow.pc.in metaflow.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/metaflow.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# metaflow_install_tutorials(LANGUAGE FOLDER ARGUMENTS...): each episode stands alone once it is installed: the data, a link in the
# repository, becomes a file. ARGUMENTS are passed on to install().
function(metaflow_install_tutorials language folder)
  set(source ${PROJECT_SOURCE_DIR}/examples/tutorials/${language})
  install(DIRECTORY ${source} DESTINATION ${folder} ${ARGN}
          FILES_MATCHING PATTERN "*.cpp" PATTERN "*.py" PATTERN "*.ipynb" PATTERN "*.md"
          PATTERN ".*" EXCLUDE PATTERN "__pycache__" EXCLUDE)
  file(GLOB data RELATIVE ${source} CONFIGURE_DEPENDS ${source}/*/penguins.csv)
  foreach(link ${data})
    cmake_path(GET link PARENT_PATH episode)
    install(FILES ${PROJECT_SOURCE_DIR}/examples/data/penguins.csv DESTINATION ${folder}/${language}/${episode} ${ARGN})
  endforeach()
endfunction()

metaflow_install_tutorials(cpp ${CMAKE_INSTALL_DATADIR}/metaflow/tutorials)
metaflow_install_tutorials(python ${CMAKE_INSTALL_DATADIR}/metaflow/tutorials)
install(FILES examples/data/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME penguins.md)
