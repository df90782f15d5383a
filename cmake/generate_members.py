#!/usr/bin/env python3
"""Writes include/metaflow/detail/members.hpp: run it again after changing it, then clang-format."""

from pathlib import Path

LIMIT = 128

HEAD = """#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>

#include <metaflow/detail/names.hpp>

/// The data members of a plain struct: how many, their addresses, their names. Written by cmake/generate_members.py.
namespace metaflow::detail {

/// Stands for any one initialiser.
struct AnyMember {
  template <class T>
  operator T() const;
};

template <class T, std::size_t... I>
consteval bool can_be_made_of(std::index_sequence<I...>) {
  return requires { T{(static_cast<void>(I), AnyMember{})...}; };
}

inline constexpr std::size_t max_members = %d;

/// The number of data members of an aggregate without base classes; max_members + 1 stands for any higher number.
template <class T, std::size_t Low = 0, std::size_t High = max_members + 1>
consteval std::size_t member_count() {
  constexpr std::size_t middle = (Low + High + 1) / 2;
  if constexpr (Low == High)
    return Low;
  else if constexpr (can_be_made_of<T>(std::make_index_sequence<middle>()))
    return member_count<T, middle, High>();
  else
    return member_count<T, Low, middle - 1>();
}

/// The address of member number I.
template <std::size_t I, class T>
struct MemberAddress {
  T* address;
};

template <class Indices, class... T>
struct MemberAddressesImpl;
template <std::size_t... I, class... T>
struct MemberAddressesImpl<std::index_sequence<I...>, T...> : MemberAddress<I, T>... {};

/// The addresses of all members, in order.
template <class... T>
using MemberAddresses = MemberAddressesImpl<std::index_sequence_for<T...>, T...>;

template <std::size_t I, class T>
constexpr T* address_of(const MemberAddress<I, T>& member) {
  return member.address;
}

template <class... T>
constexpr MemberAddresses<T...> addresses(T*... address) {
  return {{address}...};
}

// clang-format off
template <class T>
constexpr auto member_addresses([[maybe_unused]] T& object) {
  constexpr std::size_t n = member_count<std::remove_const_t<T>>();
  if constexpr (n == 0) { return addresses(); }
"""

TAIL = """}
// clang-format on

/// Room for a T that is never made: only the addresses of its members are used, as template arguments that carry their
/// names. Defined all the same, as the linker asks for what belongs to a type in an unnamed namespace.
template <class T>
union Phantom {
  constexpr Phantom() : nothing() {}
  constexpr ~Phantom() {}
  char nothing;
  T value;
};
template <class T>
inline constinit const Phantom<T> phantom;

/// Member number I as a template argument.
template <class T, std::size_t I>
inline constexpr FieldPointer member_pointer{address_of<I>(member_addresses(phantom<T>.value))};

template <class T, std::size_t... I>
consteval std::array<std::string_view, sizeof...(I)> read_member_names(std::index_sequence<I...>) {
  return {name_of<member_pointer<T, I>>...};
}

/// In order of declaration.
template <class T>
inline constexpr auto member_names = read_member_names<T>(std::make_index_sequence<member_count<T>()>());

template <class Argument>
consteval std::string_view type_signature() {
  return __PRETTY_FUNCTION__;
}

/// The plain name of a class, without namespaces and template arguments.
template <class T>
inline constexpr std::string_view class_name = last_identifier(without_arguments(argument_of(type_signature<T>())));

}  // namespace metaflow::detail
"""


def line(count: int) -> str:
    names = [f"m{i}" for i in range(count)]
    pointers = ", ".join("&" + name for name in names)
    return (
        f"  else if constexpr (n == {count}) {{ auto& [{', '.join(names)}] = object; return addresses({pointers}); }}\n"
    )


target = Path(__file__).resolve().parent.parent / "include/metaflow/detail/members.hpp"
target.write_text(HEAD % LIMIT + "".join(line(n) for n in range(1, LIMIT + 1)) + TAIL)
