// The shared library is made of the layers' archives, taken whole; CMake wants one source of its own.
