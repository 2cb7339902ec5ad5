/**
 * Puts a context in front of every overload of a method.
 *
 * TypeScript can only take overloads apart with a pattern that has as many of them, and it matches
 * from the last overload backwards. SET has 84 overloads in ioredis 6. The few commands with more
 * (SORT, XCLAIM, XREADGROUP, MIGRATE) keep their last 84. The missing ones combine all options of the
 * command, and can be sent with `call`.
 */
import type { Context } from "../index.ts";

type AnyFunction = (...args: never) => unknown;

/** The arguments without the callback, which may be optional. */
type WithoutCallback<A extends unknown[]> =
  Required<A> extends [...infer Head, infer Last] ? (Last extends AnyFunction ? Head : A) : A;

/** One overload with a context. A part of the pattern that matched no overload becomes `unknown`. */
type WithCtx<A, R> = A extends unknown[]
  ? unknown[] extends A
    ? unknown
    : (ctx: Context, ...args: WithoutCallback<A>) => R
  : unknown;

/** Most methods have at most 8 overloads, and the pattern for 8 is checked many times faster. */
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
    ? WithCtx<A0, R0> &
        WithCtx<A1, R1> &
        WithCtx<A2, R2> &
        WithCtx<A3, R3> &
        WithCtx<A4, R4> &
        WithCtx<A5, R5> &
        WithCtx<A6, R6> &
        WithCtx<A7, R7>
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
  WithCtx<A0, R0> & WithCtx<A1, R1> & WithCtx<A2, R2> & WithCtx<A3, R3> & WithCtx<A4, R4> & WithCtx<A5, R5> & WithCtx<A6, R6> &
  WithCtx<A7, R7> & WithCtx<A8, R8> & WithCtx<A9, R9> & WithCtx<A10, R10> & WithCtx<A11, R11> & WithCtx<A12, R12> & WithCtx<A13, R13> &
  WithCtx<A14, R14> & WithCtx<A15, R15> & WithCtx<A16, R16> & WithCtx<A17, R17> & WithCtx<A18, R18> & WithCtx<A19, R19> & WithCtx<A20, R20> &
  WithCtx<A21, R21> & WithCtx<A22, R22> & WithCtx<A23, R23> & WithCtx<A24, R24> & WithCtx<A25, R25> & WithCtx<A26, R26> & WithCtx<A27, R27> &
  WithCtx<A28, R28> & WithCtx<A29, R29> & WithCtx<A30, R30> & WithCtx<A31, R31> & WithCtx<A32, R32> & WithCtx<A33, R33> & WithCtx<A34, R34> &
  WithCtx<A35, R35> & WithCtx<A36, R36> & WithCtx<A37, R37> & WithCtx<A38, R38> & WithCtx<A39, R39> & WithCtx<A40, R40> & WithCtx<A41, R41> &
  WithCtx<A42, R42> & WithCtx<A43, R43> & WithCtx<A44, R44> & WithCtx<A45, R45> & WithCtx<A46, R46> & WithCtx<A47, R47> & WithCtx<A48, R48> &
  WithCtx<A49, R49> & WithCtx<A50, R50> & WithCtx<A51, R51> & WithCtx<A52, R52> & WithCtx<A53, R53> & WithCtx<A54, R54> & WithCtx<A55, R55> &
  WithCtx<A56, R56> & WithCtx<A57, R57> & WithCtx<A58, R58> & WithCtx<A59, R59> & WithCtx<A60, R60> & WithCtx<A61, R61> & WithCtx<A62, R62> &
  WithCtx<A63, R63> & WithCtx<A64, R64> & WithCtx<A65, R65> & WithCtx<A66, R66> & WithCtx<A67, R67> & WithCtx<A68, R68> & WithCtx<A69, R69> &
  WithCtx<A70, R70> & WithCtx<A71, R71> & WithCtx<A72, R72> & WithCtx<A73, R73> & WithCtx<A74, R74> & WithCtx<A75, R75> & WithCtx<A76, R76> &
  WithCtx<A77, R77> & WithCtx<A78, R78> & WithCtx<A79, R79> & WithCtx<A80, R80> & WithCtx<A81, R81> & WithCtx<A82, R82> & WithCtx<A83, R83>
: never;
