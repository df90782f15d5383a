# metaflow_layer(NAME [APART] DEPENDS targets...)
#
# One folder of src/ as one static library metaflow_NAME, and its *_test.cpp files as one test program NAME_test.
# Header-only while the folder holds no sources. METAFLOW_LAYER_OBJECTS and METAFLOW_LAYER_DEPENDS collect
# what the shared library is made of: all of each layer, and the libraries outside that they rest on. An APART layer is not in it.
function(metaflow_layer name)
  cmake_parse_arguments(LAYER "APART" "" "DEPENDS" ${ARGN})
  set(folder ${PROJECT_SOURCE_DIR}/src/${name})
  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.cpp)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "(_test|_main)\\.cpp$")

  if(sources)
    add_library(metaflow_${name} STATIC ${sources})
    set(scope PUBLIC)
    metaflow_warnings(metaflow_${name})
    if(NOT LAYER_APART)
      set(METAFLOW_LAYER_OBJECTS ${METAFLOW_LAYER_OBJECTS} "$<TARGET_OBJECTS:metaflow_${name}>" PARENT_SCOPE)
    endif()
  else()
    add_library(metaflow_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(metaflow_${name} ${scope} ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(metaflow_${name} ${scope} ${LAYER_DEPENDS})
  if(NOT LAYER_APART)
    list(FILTER LAYER_DEPENDS EXCLUDE REGEX "^metaflow_")
    set(METAFLOW_LAYER_DEPENDS ${METAFLOW_LAYER_DEPENDS} ${LAYER_DEPENDS} PARENT_SCOPE)
  endif()

  if(METAFLOW_TESTS AND tests)
    add_executable(${name}_test ${tests})
    metaflow_warnings(${name}_test)
    target_link_libraries(${name}_test PRIVATE metaflow_${name} GTest::gtest GTest::gmock GTest::gtest_main)
    gtest_discover_tests(${name}_test TEST_PREFIX ${name}. DISCOVERY_MODE PRE_TEST)
  endif()
endfunction()

function(metaflow_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
    # GCC 12 takes any std::variant that is moved for uninitialised.
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized> $<$<BOOL:${METAFLOW_WARNINGS_AS_ERRORS}>:-Werror>)
endfunction()
