// Lets a Python test see what the pickle reader and writer do: the test names a file, this program answers on stdout.
//   pickle_probe repr FILE      what FILE's pickle holds, as Value::repr shows it
//   pickle_probe again FILE     the same value written by us
//   pickle_probe array DTYPE    a pickled array of shape (2, 3) holding 0…5, written from C++
//   pickle_probe large          a pickled dict with an array of a million doubles, and text and bytes outside of frames

#include <complex>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>

#include <metaflow/codec.hpp>

namespace mf = metaflow;

namespace {

mf::Buffer read_file(const char* path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  mf::Buffer buffer(bytes.size());
  std::memcpy(buffer.data(), bytes.data(), bytes.size());
  return buffer;
}

void print(const mf::Encoded& encoded) {
  for (std::size_t i = 0; i < encoded.pickle.count(); ++i) {
    const auto piece = encoded.pickle.piece(i);
    std::fwrite(piece.data(), 1, piece.size(), stdout);
  }
}

template <class T>
void print_array() {
  print(mf::encode(mf::Array<T>({2, 3}, {T(0), T(1), T(2), T(3), T(4), T(5)})));
}

template <class... T>
bool print_array_of(std::string_view dtype) {
  return ((mf::Array<T>::dtype() == dtype && (print_array<T>(), true)) || ...);
}

void print_large() {
  const mf::Array<double> numbers({1000, 1000});
  const std::tuple values{numbers, std::string(70'000, 'x'), std::vector<std::byte>(80'000), numbers,
                          std::string("end")};
  print(mf::encode(values));
}

int run(std::string_view command, const char* argument) {
  if (command == "repr") {
    std::cout << mf::pickle::decode(read_file(argument)).repr();
  } else if (command == "again") {
    const auto value = mf::pickle::decode(read_file(argument));
    print(mf::pickle::encode(value));
  } else if (command == "array") {
    using namespace std;
    return print_array_of<bool, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, float, double,
                          complex<float>, complex<double>>(argument)
               ? 0
               : 2;
  } else if (command == "large") {
    print_large();
  } else {
    return 2;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 3) return 2;
  return run(argv[1], argv[2]);
} catch (const mf::Error& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
