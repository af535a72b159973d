//! What a kernel is compiled for: the GPU, or one of several kinds of processor.
//!
//! Inside a kernel the name `Machine` stands for the machine that this copy of the body is compiled
//! for; inside a launch shape, for the one that will run it. It carries what differs between them
//! and must be known when compiling: how many neighbouring elements one thread should hold, and
//! arithmetic that has one instruction on one machine and several on another. Code that does not
//! care need not mention it.
//!
//! On a processor the best kind is chosen when the program runs, so one build serves all of them.

#[cfg(not(target_arch = "nvptx64"))]
mod exp2;
#[cfg(not(target_arch = "nvptx64"))]
mod power;
#[cfg(target_arch = "x86_64")]
mod vendor;

#[cfg(target_arch = "nvptx64")]
use crate::words;

/// A machine that kernels are compiled for. See the [module](self).
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::prelude::*;
///
/// /// What a kernel shares with others takes the machine as a parameter.
/// #[inline(always)]
/// fn norm<M: Machine>(x: f32, y: f32) -> f32 {
///     M::sqrt(M::mul_add(x, x, y * y))
/// }
///
/// #[kernel(require(x.len() == out.len(), y.len() == out.len()))]
/// pub unsafe fn norms(x: &[f32], y: &[f32], mut out: DisjointMut<f32>) {
///     let i = thread::index_1d();
///     if let Some(out) = out.own() {
///         *out = norm::<Machine>(x[i], y[i]);
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let executor = CpuExecutor::of_this_processor()?;
/// let (x, y, mut out) = (Cells::new([3.0]), Cells::new([4.0]), Cells::filled(0.0, 1));
/// executor.run(norms::launch(&x, &y, &mut out))?;
/// assert_eq!(out.to_vec(), [5.0]);
/// # Ok(())
/// # }
/// ```
pub trait Machine {
    /// Which one it is.
    const KIND: MachineKind;

    /// How many neighbouring elements (queries, columns) one thread does best to hold in registers:
    /// on a GPU, enough to share each load of the others; on a processor, two or more full vectors,
    /// which the compiler fills from arrays of this length.
    const LANES: usize;

    /// Threads of a one-dimensional block that does well on the machine: on a GPU, a few warps that
    /// hide each other's waits; on a processor, few, so that there are blocks for every core.
    const BLOCK: u32;

    /// `a * b + c`, with one rounding where the machine has the instruction, else with two.
    ///
    /// `f32::mul_add` always rounds once, and is a slow library call on processors without it.
    ///
    /// ```
    /// use cuda_std::machine::{Baseline, Machine};
    ///
    /// assert_eq!(Baseline::mul_add(2.0, 3.0, 1.0), 7.0);
    /// ```
    fn mul_add(a: f32, b: f32, c: f32) -> f32;

    /// `a / b`; exactly 0 where a is 0 and b is not.
    ///
    /// ```
    /// use cuda_std::machine::{Baseline, Machine};
    ///
    /// assert_eq!(Baseline::divide(1.0, 4.0), 0.25);
    /// ```
    ///
    /// # Precision
    /// Correctly rounded on a processor. On a GPU, where the rounded quotient (`a / b`) takes a branch and a subroutine, in the
    /// code as often as it stands there, off by at most two units in the last place, for |b| from 2^-126 to 2^126: beyond
    /// that the quotient counts as 0. Subnormals count as zero there.
    fn divide(a: f32, b: f32) -> f32;

    /// The same in f64, of numbers whose quotient, and the inverse of b, is neither subnormal nor infinite.
    ///
    /// ```
    /// use cuda_std::machine::{Baseline, Machine};
    ///
    /// assert_eq!(Baseline::divide_f64(1.0, 4.0), 0.25);
    /// ```
    ///
    /// # Precision
    /// Correctly rounded on a processor; off by at most two units in the last place on a GPU.
    fn divide_f64(a: f64, b: f64) -> f64;

    /// The square root of `x >= 0`; exactly 0 at 0.
    ///
    /// ```
    /// use cuda_std::machine::{Baseline, Machine};
    ///
    /// assert_eq!(Baseline::sqrt(2.25), 1.5);
    /// ```
    ///
    /// # Precision
    /// Correctly rounded on a processor; relative error at most 2^-23 on a GPU, where the rounded root
    /// (`f32::sqrt`) takes a branch and four times the instructions. Subnormals count as zero there.
    fn sqrt(x: f32) -> f32;

    /// 2^-x for `x >= -16`; exactly 1 at 0.
    ///
    /// ```
    /// use cuda_std::machine::{Baseline, Machine};
    ///
    /// assert_eq!(Baseline::exp2_minus(0.0), 1.0);
    /// assert!((Baseline::exp2_minus(3.0) - 0.125).abs() < 1e-7);
    /// ```
    ///
    /// # Precision
    /// Relative error at most 2^-22. From x = 100 on the result may be 2^-100 instead of something
    /// smaller, or zero; which of the two depends on the machine.
    fn exp2_minus(x: f32) -> f32;

    /// [`exp2_minus`](Self::exp2_minus) of each lane, to the bit, and faster on a processor.
    ///
    /// ```
    /// use cuda_std::machine::{Baseline, Machine};
    ///
    /// let x = [0.0, 0.5, 1.0, 7.25];
    /// // The same bits.
    /// assert_eq!(Baseline::exp2_minus_lanes(x), x.map(Baseline::exp2_minus));
    /// ```
    #[inline(always)]
    fn exp2_minus_lanes<const N: usize>(mut x: [f32; N]) -> [f32; N] {
        for x in &mut x {
            *x = Self::exp2_minus(*x);
        }
        x
    }

    /// x^p for `x >= 0` and `p > 0`; exactly 0, 1 or infinity where x is.
    ///
    /// In a loop over lanes a processor with fused multiply-add takes many at a time, where `f32::powf` is a call for each.
    ///
    /// ```
    /// use cuda_std::machine::{Avx2, Baseline, Machine};
    ///
    /// assert!((Baseline::power(2.0, 0.5) - 2.0_f32.sqrt()).abs() < 1e-6);
    /// assert_eq!(Avx2::power(0.0, 0.5), 0.0);
    /// assert_eq!(Avx2::power(4.0, 3.0), 64.0);
    /// ```
    ///
    /// # Precision
    /// On a processor relative error at most (1.1 + p / 64) 2^-23, or what is half of the smallest subnormal number. On a
    /// GPU that of 2^(p log2 x), each of the two approximate: see [`GpuFloat`](crate::GpuFloat).
    fn power(x: f32, p: f32) -> f32;
}

/// The machines by name.
///
/// ```
/// use cuda_std::machine::{Avx2, Machine, MachineKind};
///
/// assert_eq!(Avx2::KIND, MachineKind::Avx2);
/// // The code that every processor of an architecture can run.
/// assert!(MachineKind::Baseline.runs_here());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineKind {
    /// A GPU, or something that runs its PTX.
    Gpu,
    /// A processor, with what every one of its architecture has.
    Baseline,
    /// An x86-64 processor with AVX2 and FMA.
    Avx2,
    /// An x86-64 processor with AVX-512 (F, BW, DQ, VL).
    Avx512,
}

impl MachineKind {
    /// The [`LANES`](Machine::LANES) of the machine.
    ///
    /// ```
    /// use cuda_std::machine::{Gpu, Machine, MachineKind};
    ///
    /// assert_eq!(MachineKind::Gpu.lanes(), Gpu::LANES);
    /// ```
    #[cfg(not(target_arch = "nvptx64"))]
    pub fn lanes(self) -> usize {
        match self {
            Self::Gpu => Gpu::LANES,
            Self::Baseline => Baseline::LANES,
            Self::Avx2 => Avx2::LANES,
            Self::Avx512 => Avx512::LANES,
        }
    }

    /// The [`BLOCK`](Machine::BLOCK) of the machine.
    ///
    /// ```
    /// use cuda_std::machine::{Gpu, Machine, MachineKind};
    ///
    /// assert_eq!(MachineKind::Gpu.block(), Gpu::BLOCK);
    /// ```
    #[cfg(not(target_arch = "nvptx64"))]
    pub fn block(self) -> u32 {
        match self {
            Self::Gpu => Gpu::BLOCK,
            Self::Baseline => Baseline::BLOCK,
            Self::Avx2 => Avx2::BLOCK,
            Self::Avx512 => Avx512::BLOCK,
        }
    }

    /// The fastest kind of processor that this one is.
    ///
    /// ```
    /// use cuda_std::machine::MachineKind;
    ///
    /// let best = MachineKind::of_this_processor();
    /// assert!(best != MachineKind::Gpu && best.runs_here());
    /// ```
    #[cfg(not(target_arch = "nvptx64"))]
    pub fn of_this_processor() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let fused = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if fused
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
            {
                return Self::Avx512;
            }
            if fused {
                return Self::Avx2;
            }
        }
        Self::Baseline
    }

    /// Whether this processor can run code for the kind. True for the GPU, which is not asked here.
    ///
    /// ```
    /// use cuda_std::machine::MachineKind;
    ///
    /// // What runs the newer code runs the older too.
    /// assert!(!MachineKind::Avx512.runs_here() || MachineKind::Avx2.runs_here());
    /// ```
    #[cfg(not(target_arch = "nvptx64"))]
    pub fn runs_here(self) -> bool {
        let best = Self::of_this_processor();
        match self {
            Self::Gpu | Self::Baseline => true,
            Self::Avx2 => best != Self::Baseline,
            Self::Avx512 => best == Self::Avx512,
        }
    }
}

/// Whether this processor adds and subtracts long vectors in the very units that multiply them, so that a subtraction takes the place of a
/// multiply-add: Intel's do, AMD's have others for it. False where that is not known.
///
/// ```
/// use cuda_std::machine::adds_where_it_multiplies;
///
/// // It is always the same.
/// assert_eq!(adds_where_it_multiplies(), adds_where_it_multiplies());
/// ```
#[inline(always)]
pub fn adds_where_it_multiplies() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        vendor::is_intel()
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// A GPU, or something that runs its PTX.
///
/// ```
/// use cuda_std::machine::{Gpu, Machine, MachineKind};
///
/// assert_eq!(Gpu::KIND, MachineKind::Gpu);
/// // A few queries share each load of a point.
/// assert_eq!(Gpu::LANES, 4);
/// ```
pub enum Gpu {}

/// A processor, with what every one of its architecture has.
///
/// ```
/// use cuda_std::machine::{Baseline, Machine, MachineKind};
///
/// assert_eq!(Baseline::KIND, MachineKind::Baseline);
/// // Vectors of 128 bits and more.
/// assert!(Baseline::LANES >= 4);
/// ```
#[cfg(not(target_arch = "nvptx64"))]
pub enum Baseline {}

/// An x86-64 processor with AVX2 and FMA.
///
/// ```
/// use cuda_std::machine::{Avx2, Machine, MachineKind};
///
/// assert_eq!(Avx2::KIND, MachineKind::Avx2);
/// // Whole vectors of eight.
/// assert_eq!(Avx2::LANES % 8, 0);
/// ```
#[cfg(not(target_arch = "nvptx64"))]
pub enum Avx2 {}

/// An x86-64 processor with AVX-512 (F, BW, DQ, VL).
///
/// ```
/// use cuda_std::machine::{Avx512, Machine, MachineKind};
///
/// assert_eq!(Avx512::KIND, MachineKind::Avx512);
/// // Whole vectors of sixteen.
/// assert_eq!(Avx512::LANES % 16, 0);
/// ```
#[cfg(not(target_arch = "nvptx64"))]
pub enum Avx512 {}

impl Machine for Gpu {
    const KIND: MachineKind = MachineKind::Gpu;
    const LANES: usize = 4;
    const BLOCK: u32 = 128;

    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        #[cfg(target_arch = "nvptx64")]
        return core::f32::math::mul_add(a, b, c);
        #[cfg(not(target_arch = "nvptx64"))]
        a.mul_add(b, c)
    }

    #[inline(always)]
    fn divide(a: f32, b: f32) -> f32 {
        #[cfg(target_arch = "nvptx64")]
        return words::divide_approx(a, b);
        #[cfg(not(target_arch = "nvptx64"))]
        return a / b;
    }

    #[inline(always)]
    fn divide_f64(a: f64, b: f64) -> f64 {
        #[cfg(target_arch = "nvptx64")]
        return words::divide_f64(a, b);
        #[cfg(not(target_arch = "nvptx64"))]
        return a / b;
    }

    #[inline(always)]
    fn sqrt(x: f32) -> f32 {
        #[cfg(target_arch = "nvptx64")]
        return words::sqrt_approx(x);
        #[cfg(not(target_arch = "nvptx64"))]
        x.sqrt()
    }

    #[inline(always)]
    fn exp2_minus(x: f32) -> f32 {
        #[cfg(target_arch = "nvptx64")]
        return words::exp2_approx(-x);
        #[cfg(not(target_arch = "nvptx64"))]
        (-x).exp2()
    }

    #[inline(always)]
    fn power(x: f32, p: f32) -> f32 {
        crate::GpuFloat::powf(x, p)
    }
}

#[cfg(not(target_arch = "nvptx64"))]
macro_rules! processor_machines {
    ($($machine:ident: $lanes:expr, $mul_add:expr, $exp2_minus_lanes:expr, $power:expr;)*) => { $(
        impl Machine for $machine {
            const KIND: MachineKind = MachineKind::$machine;
            const LANES: usize = $lanes;
            const BLOCK: u32 = 32;

            #[inline(always)]
            fn mul_add(a: f32, b: f32, c: f32) -> f32 {
                $mul_add(a, b, c)
            }

            #[inline(always)]
            fn divide(a: f32, b: f32) -> f32 {
                a / b
            }

            #[inline(always)]
            fn divide_f64(a: f64, b: f64) -> f64 {
                a / b
            }

            #[inline(always)]
            fn sqrt(x: f32) -> f32 {
                x.sqrt()
            }

            #[inline(always)]
            fn exp2_minus(x: f32) -> f32 {
                exp2::minus(x, $mul_add)
            }

            #[inline(always)]
            fn exp2_minus_lanes<const N: usize>(x: [f32; N]) -> [f32; N] {
                $exp2_minus_lanes(x, $mul_add)
            }

            #[inline(always)]
            fn power(x: f32, p: f32) -> f32 {
                $power(x, p)
            }
        }
    )* };
}

/// Two roundings: for processors whose every `f32::mul_add` would be a call into libm.
#[cfg(not(any(target_arch = "aarch64", target_arch = "nvptx64")))]
#[inline(always)]
fn two_roundings(a: f32, b: f32, c: f32) -> f32 {
    a * b + c
}

#[cfg(not(any(target_arch = "aarch64", target_arch = "nvptx64")))]
processor_machines! {
    Baseline: 8, two_roundings, exp2::minus_vectors, f32::powf;
    Avx2: 16, f32::mul_add, exp2::minus_vectors, power::power;
    Avx512: 32, f32::mul_add, exp2::minus_each, power::power;
}

// Every 64-bit Arm processor has fused multiply-add.
#[cfg(target_arch = "aarch64")]
processor_machines! {
    Baseline: 8, f32::mul_add, exp2::minus_each, power::power;
    Avx2: 16, f32::mul_add, exp2::minus_each, power::power;
    Avx512: 32, f32::mul_add, exp2::minus_each, power::power;
}

#[cfg(all(test, not(target_arch = "nvptx64")))]
mod tests {
    use super::*;

    fn check<M: Machine>() {
        assert_eq!(M::exp2_minus(0.0), 1.0);
        for i in -160_000..1_000_000 {
            let x = i as f32 * 1e-4;
            let expected = (-f64::from(x)).exp2();
            let error = (f64::from(M::exp2_minus(x)) / expected - 1.0).abs();
            assert!(error <= 2.0_f64.powi(-22), "{:?}: 2^-{x} is off by {error:e}", M::KIND);
        }
        for x in [100.0, 130.0, 1e10, f32::MAX, f32::INFINITY] {
            assert!(M::exp2_minus(x) <= 2.0_f32.powi(-99));
        }
        for i in 0..4096 {
            let x: [f32; 32] = std::array::from_fn(|lane| (i * 32 + lane) as f32 * 1e-3);
            assert_eq!(M::exp2_minus_lanes(x), x.map(M::exp2_minus), "{:?}", M::KIND);
        }
        for p in [0.5, 1.5, 3.0, 16.0] {
            for x in [1e-2, 0.3, 0.999, 1.0, 1.7, 2.0, 41.5, 200.0] {
                let expected = f64::from(x).powf(f64::from(p));
                let error = (f64::from(M::power(x, p)) / expected - 1.0).abs();
                assert!(error <= (1.1 + f64::from(p) / 64.0) * 2.0_f64.powi(-23), "{:?}: {x}^{p}", M::KIND);
            }
            assert_eq!(M::power(0.0, p), 0.0, "{:?}", M::KIND);
        }
        let far = [f32::INFINITY, 1e10, 100.0, 99.9, 0.0];
        assert_eq!(M::exp2_minus_lanes(far), far.map(M::exp2_minus), "{:?}: no whole vector", M::KIND);
    }

    #[test]
    fn powers_keep_their_precision() {
        check::<Gpu>();
        check::<Baseline>();
        check::<Avx2>();
        check::<Avx512>();
    }

    #[test]
    fn the_best_kind_runs_here() {
        assert!(MachineKind::of_this_processor().runs_here());
        assert!(MachineKind::Baseline.runs_here());
    }
}
