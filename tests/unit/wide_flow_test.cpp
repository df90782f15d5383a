#include <gtest/gtest.h>

#include "fake_task.hpp"

namespace mf = metaflow;

namespace {

/// 64 members and 64 steps.
struct Wide {
  mf::Artifact<int> a0;
  mf::Artifact<int> a1;
  mf::Artifact<int> a2;
  mf::Artifact<int> a3;
  mf::Artifact<int> a4;
  mf::Artifact<int> a5;
  mf::Artifact<int> a6;
  mf::Artifact<int> a7;
  mf::Artifact<int> a8;
  mf::Artifact<int> a9;
  mf::Artifact<int> a10;
  mf::Artifact<int> a11;
  mf::Artifact<int> a12;
  mf::Artifact<int> a13;
  mf::Artifact<int> a14;
  mf::Artifact<int> a15;
  mf::Artifact<int> a16;
  mf::Artifact<int> a17;
  mf::Artifact<int> a18;
  mf::Artifact<int> a19;
  mf::Artifact<int> a20;
  mf::Artifact<int> a21;
  mf::Artifact<int> a22;
  mf::Artifact<int> a23;
  mf::Artifact<int> a24;
  mf::Artifact<int> a25;
  mf::Artifact<int> a26;
  mf::Artifact<int> a27;
  mf::Artifact<int> a28;
  mf::Artifact<int> a29;
  mf::Artifact<int> a30;
  mf::Artifact<int> a31;
  mf::Artifact<int> a32;
  mf::Artifact<int> a33;
  mf::Artifact<int> a34;
  mf::Artifact<int> a35;
  mf::Artifact<int> a36;
  mf::Artifact<int> a37;
  mf::Artifact<int> a38;
  mf::Artifact<int> a39;
  mf::Artifact<int> a40;
  mf::Artifact<int> a41;
  mf::Artifact<int> a42;
  mf::Artifact<int> a43;
  mf::Artifact<int> a44;
  mf::Artifact<int> a45;
  mf::Artifact<int> a46;
  mf::Artifact<int> a47;
  mf::Artifact<int> a48;
  mf::Artifact<int> a49;
  mf::Artifact<int> a50;
  mf::Artifact<int> a51;
  mf::Artifact<int> a52;
  mf::Artifact<int> a53;
  mf::Artifact<int> a54;
  mf::Artifact<int> a55;
  mf::Artifact<int> a56;
  mf::Artifact<int> a57;
  mf::Artifact<int> a58;
  mf::Artifact<int> a59;
  mf::Artifact<int> a60;
  mf::Artifact<int> a61;
  mf::Artifact<int> a62;
  mf::Artifact<int> a63;

  void start() { a0 = 0; }
  void s1() { a1 = 1; }
  void s2() { a2 = 2; }
  void s3() { a3 = 3; }
  void s4() { a4 = 4; }
  void s5() { a5 = 5; }
  void s6() { a6 = 6; }
  void s7() { a7 = 7; }
  void s8() { a8 = 8; }
  void s9() { a9 = 9; }
  void s10() { a10 = 10; }
  void s11() { a11 = 11; }
  void s12() { a12 = 12; }
  void s13() { a13 = 13; }
  void s14() { a14 = 14; }
  void s15() { a15 = 15; }
  void s16() { a16 = 16; }
  void s17() { a17 = 17; }
  void s18() { a18 = 18; }
  void s19() { a19 = 19; }
  void s20() { a20 = 20; }
  void s21() { a21 = 21; }
  void s22() { a22 = 22; }
  void s23() { a23 = 23; }
  void s24() { a24 = 24; }
  void s25() { a25 = 25; }
  void s26() { a26 = 26; }
  void s27() { a27 = 27; }
  void s28() { a28 = 28; }
  void s29() { a29 = 29; }
  void s30() { a30 = 30; }
  void s31() { a31 = 31; }
  void s32() { a32 = 32; }
  void s33() { a33 = 33; }
  void s34() { a34 = 34; }
  void s35() { a35 = 35; }
  void s36() { a36 = 36; }
  void s37() { a37 = 37; }
  void s38() { a38 = 38; }
  void s39() { a39 = 39; }
  void s40() { a40 = 40; }
  void s41() { a41 = 41; }
  void s42() { a42 = 42; }
  void s43() { a43 = 43; }
  void s44() { a44 = 44; }
  void s45() { a45 = 45; }
  void s46() { a46 = 46; }
  void s47() { a47 = 47; }
  void s48() { a48 = 48; }
  void s49() { a49 = 49; }
  void s50() { a50 = 50; }
  void s51() { a51 = 51; }
  void s52() { a52 = 52; }
  void s53() { a53 = 53; }
  void s54() { a54 = 54; }
  void s55() { a55 = 55; }
  void s56() { a56 = 56; }
  void s57() { a57 = 57; }
  void s58() { a58 = 58; }
  void s59() { a59 = 59; }
  void s60() { a60 = 60; }
  void s61() { a61 = 61; }
  void s62() { a62 = 62; }
  void end() { a63 = 63; }

  static constexpr auto graph() {
    using F = Wide;
    return mf::graph(
        mf::step<&F::start>().to<&F::s1>(), mf::step<&F::s1>().to<&F::s2>(), mf::step<&F::s2>().to<&F::s3>(),
        mf::step<&F::s3>().to<&F::s4>(), mf::step<&F::s4>().to<&F::s5>(), mf::step<&F::s5>().to<&F::s6>(),
        mf::step<&F::s6>().to<&F::s7>(), mf::step<&F::s7>().to<&F::s8>(), mf::step<&F::s8>().to<&F::s9>(),
        mf::step<&F::s9>().to<&F::s10>(), mf::step<&F::s10>().to<&F::s11>(), mf::step<&F::s11>().to<&F::s12>(),
        mf::step<&F::s12>().to<&F::s13>(), mf::step<&F::s13>().to<&F::s14>(), mf::step<&F::s14>().to<&F::s15>(),
        mf::step<&F::s15>().to<&F::s16>(), mf::step<&F::s16>().to<&F::s17>(), mf::step<&F::s17>().to<&F::s18>(),
        mf::step<&F::s18>().to<&F::s19>(), mf::step<&F::s19>().to<&F::s20>(), mf::step<&F::s20>().to<&F::s21>(),
        mf::step<&F::s21>().to<&F::s22>(), mf::step<&F::s22>().to<&F::s23>(), mf::step<&F::s23>().to<&F::s24>(),
        mf::step<&F::s24>().to<&F::s25>(), mf::step<&F::s25>().to<&F::s26>(), mf::step<&F::s26>().to<&F::s27>(),
        mf::step<&F::s27>().to<&F::s28>(), mf::step<&F::s28>().to<&F::s29>(), mf::step<&F::s29>().to<&F::s30>(),
        mf::step<&F::s30>().to<&F::s31>(), mf::step<&F::s31>().to<&F::s32>(), mf::step<&F::s32>().to<&F::s33>(),
        mf::step<&F::s33>().to<&F::s34>(), mf::step<&F::s34>().to<&F::s35>(), mf::step<&F::s35>().to<&F::s36>(),
        mf::step<&F::s36>().to<&F::s37>(), mf::step<&F::s37>().to<&F::s38>(), mf::step<&F::s38>().to<&F::s39>(),
        mf::step<&F::s39>().to<&F::s40>(), mf::step<&F::s40>().to<&F::s41>(), mf::step<&F::s41>().to<&F::s42>(),
        mf::step<&F::s42>().to<&F::s43>(), mf::step<&F::s43>().to<&F::s44>(), mf::step<&F::s44>().to<&F::s45>(),
        mf::step<&F::s45>().to<&F::s46>(), mf::step<&F::s46>().to<&F::s47>(), mf::step<&F::s47>().to<&F::s48>(),
        mf::step<&F::s48>().to<&F::s49>(), mf::step<&F::s49>().to<&F::s50>(), mf::step<&F::s50>().to<&F::s51>(),
        mf::step<&F::s51>().to<&F::s52>(), mf::step<&F::s52>().to<&F::s53>(), mf::step<&F::s53>().to<&F::s54>(),
        mf::step<&F::s54>().to<&F::s55>(), mf::step<&F::s55>().to<&F::s56>(), mf::step<&F::s56>().to<&F::s57>(),
        mf::step<&F::s57>().to<&F::s58>(), mf::step<&F::s58>().to<&F::s59>(), mf::step<&F::s59>().to<&F::s60>(),
        mf::step<&F::s60>().to<&F::s61>(), mf::step<&F::s61>().to<&F::s62>(), mf::step<&F::s62>().to<&F::end>(),
        mf::step<&F::end>());
  }
};

TEST(WideFlow, KeepsNamesAndOrderOfAllItsParts) {
  const auto flow = mf::program<Wide>().flow;
  ASSERT_EQ(flow.steps.size(), 64u);
  EXPECT_EQ(flow.steps[40].name, "s40");
  mf::testing::FakeTask task;
  EXPECT_FALSE(task.run<Wide>("s40").failure);
  EXPECT_EQ(task.left<int>("a40"), 40);
  EXPECT_EQ(task.stored, std::vector<std::string>{"a40"});
}

}  // namespace
