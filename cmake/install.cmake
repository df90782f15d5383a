# What `cmake --install` lays down: program, library, headers, CMake package, pkg-config file, tutorials, licence. Nothing in it knows the
# prefix, so the tree may be moved afterwards.
include(CMakePackageConfigHelpers)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/metaflow)

install(TARGETS metaflow EXPORT metaflow LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
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

# Each episode stands alone once it is installed: the data, a link in the repository, becomes a file.
set(tutorials_folder ${CMAKE_INSTALL_DATADIR}/metaflow/tutorials/cpp)
install(DIRECTORY examples/tutorials/cpp/ DESTINATION ${tutorials_folder} FILES_MATCHING PATTERN "*.cpp" PATTERN "*.md")
foreach(episode 01-penguins 02-statistics 04-tuning)
  install(FILES examples/data/penguins.csv DESTINATION ${tutorials_folder}/${episode})
endforeach()
install(FILES examples/data/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME penguins.md)
