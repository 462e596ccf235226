/**
 * Natural logarithm of four positive normal floats, within 1e-6 of the truth (measured in the tests: about one unit
 * in the last place). x = 2^e m with m in [sqrt(1/2), sqrt(2)), ln x = e ln 2 + ln m, the latter by the degree-9
 * polynomial of Cephes `logf`; ln 2 is split in two so that e ln 2 loses nothing.
 */
export function naturalLog(x: v128): v128 {
  const one = f32x4.splat(1)
  let exponent = v128.convert<i32>(v128.sub<i32>(v128.shr<i32>(x, 23), i32x4.splat(126)))
  let m = v128.or(v128.and(x, i32x4.splat(0x007fffff)), i32x4.splat(0x3f000000))
  const small = v128.lt<f32>(m, f32x4.splat(0.7071067811865475))
  exponent = v128.sub<f32>(exponent, v128.and(small, one))
  m = v128.add<f32>(v128.sub<f32>(m, one), v128.and(small, m))
  const z = v128.mul<f32>(m, m)
  let y = f32x4.splat(7.0376836292e-2)
  y = v128.add<f32>(v128.mul<f32>(y, m), f32x4.splat(-1.151461031e-1))
  y = v128.add<f32>(v128.mul<f32>(y, m), f32x4.splat(1.167699874e-1))
  y = v128.add<f32>(v128.mul<f32>(y, m), f32x4.splat(-1.2420140846e-1))
  y = v128.add<f32>(v128.mul<f32>(y, m), f32x4.splat(1.4249322787e-1))
  y = v128.add<f32>(v128.mul<f32>(y, m), f32x4.splat(-1.6668057665e-1))
  y = v128.add<f32>(v128.mul<f32>(y, m), f32x4.splat(2.0000714765e-1))
  y = v128.add<f32>(v128.mul<f32>(y, m), f32x4.splat(-2.4999993993e-1))
  y = v128.add<f32>(v128.mul<f32>(y, m), f32x4.splat(3.3333331174e-1))
  y = v128.mul<f32>(v128.mul<f32>(y, m), z)
  y = v128.add<f32>(y, v128.mul<f32>(exponent, f32x4.splat(-2.1219444e-4)))
  y = v128.sub<f32>(y, v128.mul<f32>(z, f32x4.splat(0.5)))
  return v128.add<f32>(v128.add<f32>(m, y), v128.mul<f32>(exponent, f32x4.splat(0.693359375)))
}
