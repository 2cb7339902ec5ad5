/**
 * Puts a context in front of every overload of a method.
 *
 * TypeScript takes overloads apart only against a pattern of as many, and matches them from the
 * last. SET has 84 in ioredis 6; the few commands with more (SORT, XCLAIM, XREADGROUP, MIGRATE) keep
 * their last 84, which lack nothing but combinations of all their options: for those there is `call`.
 */
import type { Context } from "../index.ts";

type AnyFunction = (...args: never) => unknown;

/** Arguments without the callback, which may be optional. */
type WithoutCallback<A extends unknown[]> =
  Required<A> extends [...infer Head, infer Last] ? (Last extends AnyFunction ? Head : A) : A;

/** One overload; nothing for a part of the pattern that no overload has matched. */
type Face<A, R> = A extends unknown[]
  ? unknown[] extends A
    ? unknown
    : (ctx: Context, ...args: WithoutCallback<A>) => R
  : unknown;

/** Most methods have few overloads, and the small pattern is many times cheaper. */
export type CtxFirst<F> = F extends {
  (...args: infer A0): infer R0;
  (...args: infer A1): infer R1;
  (...args: infer A2): infer R2;
  (...args: infer A3): infer R3;
  (...args: infer A4): infer R4;
  (...args: infer A5): infer R5;
  (...args: infer A6): infer R6;
  (...args: infer A7): infer R7;
}
  ? unknown[] extends A0
    ? Face<A0, R0> &
        Face<A1, R1> &
        Face<A2, R2> &
        Face<A3, R3> &
        Face<A4, R4> &
        Face<A5, R5> &
        Face<A6, R6> &
        Face<A7, R7>
    : Long<F>
  : never;

// prettier-ignore
type Long<F> = F extends {
  (...args: infer A0): infer R0; (...args: infer A1): infer R1; (...args: infer A2): infer R2;
  (...args: infer A3): infer R3; (...args: infer A4): infer R4; (...args: infer A5): infer R5;
  (...args: infer A6): infer R6; (...args: infer A7): infer R7; (...args: infer A8): infer R8;
  (...args: infer A9): infer R9; (...args: infer A10): infer R10; (...args: infer A11): infer R11;
  (...args: infer A12): infer R12; (...args: infer A13): infer R13; (...args: infer A14): infer R14;
  (...args: infer A15): infer R15; (...args: infer A16): infer R16; (...args: infer A17): infer R17;
  (...args: infer A18): infer R18; (...args: infer A19): infer R19; (...args: infer A20): infer R20;
  (...args: infer A21): infer R21; (...args: infer A22): infer R22; (...args: infer A23): infer R23;
  (...args: infer A24): infer R24; (...args: infer A25): infer R25; (...args: infer A26): infer R26;
  (...args: infer A27): infer R27; (...args: infer A28): infer R28; (...args: infer A29): infer R29;
  (...args: infer A30): infer R30; (...args: infer A31): infer R31; (...args: infer A32): infer R32;
  (...args: infer A33): infer R33; (...args: infer A34): infer R34; (...args: infer A35): infer R35;
  (...args: infer A36): infer R36; (...args: infer A37): infer R37; (...args: infer A38): infer R38;
  (...args: infer A39): infer R39; (...args: infer A40): infer R40; (...args: infer A41): infer R41;
  (...args: infer A42): infer R42; (...args: infer A43): infer R43; (...args: infer A44): infer R44;
  (...args: infer A45): infer R45; (...args: infer A46): infer R46; (...args: infer A47): infer R47;
  (...args: infer A48): infer R48; (...args: infer A49): infer R49; (...args: infer A50): infer R50;
  (...args: infer A51): infer R51; (...args: infer A52): infer R52; (...args: infer A53): infer R53;
  (...args: infer A54): infer R54; (...args: infer A55): infer R55; (...args: infer A56): infer R56;
  (...args: infer A57): infer R57; (...args: infer A58): infer R58; (...args: infer A59): infer R59;
  (...args: infer A60): infer R60; (...args: infer A61): infer R61; (...args: infer A62): infer R62;
  (...args: infer A63): infer R63; (...args: infer A64): infer R64; (...args: infer A65): infer R65;
  (...args: infer A66): infer R66; (...args: infer A67): infer R67; (...args: infer A68): infer R68;
  (...args: infer A69): infer R69; (...args: infer A70): infer R70; (...args: infer A71): infer R71;
  (...args: infer A72): infer R72; (...args: infer A73): infer R73; (...args: infer A74): infer R74;
  (...args: infer A75): infer R75; (...args: infer A76): infer R76; (...args: infer A77): infer R77;
  (...args: infer A78): infer R78; (...args: infer A79): infer R79; (...args: infer A80): infer R80;
  (...args: infer A81): infer R81; (...args: infer A82): infer R82; (...args: infer A83): infer R83;
} ?
  Face<A0, R0> & Face<A1, R1> & Face<A2, R2> & Face<A3, R3> & Face<A4, R4> & Face<A5, R5> & Face<A6, R6> &
  Face<A7, R7> & Face<A8, R8> & Face<A9, R9> & Face<A10, R10> & Face<A11, R11> & Face<A12, R12> & Face<A13, R13> &
  Face<A14, R14> & Face<A15, R15> & Face<A16, R16> & Face<A17, R17> & Face<A18, R18> & Face<A19, R19> & Face<A20, R20> &
  Face<A21, R21> & Face<A22, R22> & Face<A23, R23> & Face<A24, R24> & Face<A25, R25> & Face<A26, R26> & Face<A27, R27> &
  Face<A28, R28> & Face<A29, R29> & Face<A30, R30> & Face<A31, R31> & Face<A32, R32> & Face<A33, R33> & Face<A34, R34> &
  Face<A35, R35> & Face<A36, R36> & Face<A37, R37> & Face<A38, R38> & Face<A39, R39> & Face<A40, R40> & Face<A41, R41> &
  Face<A42, R42> & Face<A43, R43> & Face<A44, R44> & Face<A45, R45> & Face<A46, R46> & Face<A47, R47> & Face<A48, R48> &
  Face<A49, R49> & Face<A50, R50> & Face<A51, R51> & Face<A52, R52> & Face<A53, R53> & Face<A54, R54> & Face<A55, R55> &
  Face<A56, R56> & Face<A57, R57> & Face<A58, R58> & Face<A59, R59> & Face<A60, R60> & Face<A61, R61> & Face<A62, R62> &
  Face<A63, R63> & Face<A64, R64> & Face<A65, R65> & Face<A66, R66> & Face<A67, R67> & Face<A68, R68> & Face<A69, R69> &
  Face<A70, R70> & Face<A71, R71> & Face<A72, R72> & Face<A73, R73> & Face<A74, R74> & Face<A75, R75> & Face<A76, R76> &
  Face<A77, R77> & Face<A78, R78> & Face<A79, R79> & Face<A80, R80> & Face<A81, R81> & Face<A82, R82> & Face<A83, R83>
: never;
