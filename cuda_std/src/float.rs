//! Floating-point functions for kernels.

/// The functions of `f32` that `core` lacks on a GPU, under the names of `std`.
///
/// On the processor most of these names are `std`'s own methods, which win over the trait's.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::prelude::*;
///
/// #[kernel(require(x.len() == out.len()))]
/// pub unsafe fn softplus(x: &[f32], mut out: DisjointMut<f32>) {
///     if let Some(out) = out.own() {
///         // The same source on a GPU, where `core` has neither.
///         *out = (1.0 + x[thread::index_1d()].exp()).ln();
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let executor = CpuExecutor::of_this_processor()?;
/// let (x, mut out) = (Cells::new([0.0]), Cells::filled(0.0, 1));
/// executor.run(softplus::launch(&x, &mut out))?;
/// assert!((out.to_vec()[0] - std::f32::consts::LN_2).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
///
/// # Precision
/// | | GPU | processor |
/// |---|---|---|
/// | `sqrt`, `mul_add`, `abs`, `min`, `max` | exact rounding | exact rounding |
/// | `rsqrt` | relative 2^-22.4 | 1 / sqrt, two roundings |
/// | `exp2`, `exp` | relative 2^-21; subnormal results are zero | `std` |
/// | `ln`, `log2` | absolute 2^-22 near 1, else relative 2^-21; subnormals are zeros | `std` |
pub trait GpuFloat: Sized {
    /// The square root, correctly rounded.
    ///
    /// ```
    /// # use cuda_std::GpuFloat;
    /// assert_eq!(GpuFloat::sqrt(9.0_f32), 3.0);
    /// ```
    fn sqrt(self) -> Self;
    /// 1 / sqrt(self).
    ///
    /// ```
    /// # use cuda_std::GpuFloat;
    /// assert_eq!(4.0_f32.rsqrt(), 0.5);
    /// ```
    fn rsqrt(self) -> Self;
    /// e^self.
    ///
    /// ```
    /// # use cuda_std::GpuFloat;
    /// assert_eq!(GpuFloat::exp(0.0_f32), 1.0);
    /// ```
    fn exp(self) -> Self;
    /// 2^self.
    ///
    /// ```
    /// # use cuda_std::GpuFloat;
    /// assert_eq!(GpuFloat::exp2(3.0_f32), 8.0);
    /// ```
    fn exp2(self) -> Self;
    /// The natural logarithm.
    ///
    /// ```
    /// # use cuda_std::GpuFloat;
    /// assert_eq!(GpuFloat::ln(1.0_f32), 0.0);
    /// ```
    fn ln(self) -> Self;
    /// The logarithm to base 2.
    ///
    /// ```
    /// # use cuda_std::GpuFloat;
    /// assert_eq!(GpuFloat::log2(8.0_f32), 3.0);
    /// ```
    fn log2(self) -> Self;
    /// self * a + b with one rounding. In a hot loop see [`Machine::mul_add`](crate::Machine::mul_add).
    ///
    /// ```
    /// # use cuda_std::GpuFloat;
    /// assert_eq!(GpuFloat::mul_add(2.0_f32, 3.0, 1.0), 7.0);
    /// ```
    fn mul_add(self, a: Self, b: Self) -> Self;
    /// The absolute value.
    ///
    /// ```
    /// # use cuda_std::GpuFloat;
    /// assert_eq!(GpuFloat::abs(-2.0_f32), 2.0);
    /// ```
    fn abs(self) -> Self;
    /// The smaller; the other one if one is NaN.
    ///
    /// ```
    /// # use cuda_std::GpuFloat;
    /// assert_eq!(GpuFloat::min(f32::NAN, 2.0), 2.0);
    /// ```
    fn min(self, other: Self) -> Self;
    /// The larger; the other one if one is NaN.
    ///
    /// ```
    /// # use cuda_std::GpuFloat;
    /// assert_eq!(GpuFloat::max(1.0_f32, 2.0), 2.0);
    /// ```
    fn max(self, other: Self) -> Self;
    /// self^p for self >= 0, as 2^(p log2 self); 0 for self = 0 and p > 0.
    ///
    /// ```
    /// # use cuda_std::GpuFloat;
    /// assert_eq!(GpuFloat::powf(2.0_f32, 3.0), 8.0);
    /// ```
    fn powf(self, p: Self) -> Self;
}

/// The function of `f64` that `core` lacks on a GPU, under the name of `std`: slow there, for the few
/// numbers that need it.
///
/// ```
/// use cuda_std::GpuDouble;
///
/// fn length<T: GpuDouble + std::ops::Mul<Output = T> + std::ops::Add<Output = T> + Copy>(x: T, y: T) -> T {
///     GpuDouble::sqrt(x * x + y * y)
/// }
/// assert_eq!(length(3.0_f64, 4.0), 5.0);
/// ```
pub trait GpuDouble: Sized {
    /// The square root, correctly rounded.
    ///
    /// ```
    /// # use cuda_std::GpuDouble;
    /// assert_eq!(GpuDouble::sqrt(9.0_f64), 3.0);
    /// ```
    fn sqrt(self) -> Self;
}

#[cfg(target_arch = "nvptx64")]
impl GpuDouble for f64 {
    #[inline(always)]
    fn sqrt(self) -> Self {
        core::f64::math::sqrt(self)
    }
}

#[cfg(not(target_arch = "nvptx64"))]
impl GpuDouble for f64 {
    #[inline(always)]
    fn sqrt(self) -> Self {
        f64::sqrt(self)
    }
}

#[cfg(target_arch = "nvptx64")]
impl GpuFloat for f32 {
    #[inline(always)]
    fn sqrt(self) -> Self {
        core::f32::math::sqrt(self)
    }

    #[inline(always)]
    fn rsqrt(self) -> Self {
        crate::words::rsqrt_approx(self)
    }

    #[inline(always)]
    fn exp(self) -> Self {
        // x log2 e as a rounded product and what it lost: the loss, times ln 2, mends the power.
        const LOG2_E_LOW: f32 = 1.925_963_033e-8;
        let product = self * core::f32::consts::LOG2_E;
        let lost = core::f32::math::mul_add(self, core::f32::consts::LOG2_E, -product);
        let lost = core::f32::math::mul_add(self, LOG2_E_LOW, lost);
        let power = crate::words::exp2_approx(product);
        let mend = power * lost * core::f32::consts::LN_2;
        // An infinite or vanished power stays what it is.
        if power > 0.0 && power < f32::INFINITY { power + mend } else { power }
    }

    #[inline(always)]
    fn exp2(self) -> Self {
        crate::words::exp2_approx(self)
    }

    #[inline(always)]
    fn ln(self) -> Self {
        crate::words::log2_approx(self) * core::f32::consts::LN_2
    }

    #[inline(always)]
    fn log2(self) -> Self {
        crate::words::log2_approx(self)
    }

    #[inline(always)]
    fn mul_add(self, a: Self, b: Self) -> Self {
        core::f32::math::mul_add(self, a, b)
    }

    #[inline(always)]
    fn abs(self) -> Self {
        f32::from_bits(self.to_bits() & 0x7fff_ffff)
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        // `f32::min` of core is an LLVM intrinsic that NVPTX has as one instruction.
        f32::min(self, other)
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        f32::max(self, other)
    }

    #[inline(always)]
    fn powf(self, p: Self) -> Self {
        crate::words::exp2_approx(p * crate::words::log2_approx(self))
    }
}

#[cfg(not(target_arch = "nvptx64"))]
impl GpuFloat for f32 {
    #[inline(always)]
    fn sqrt(self) -> Self {
        f32::sqrt(self)
    }

    #[inline(always)]
    fn rsqrt(self) -> Self {
        1.0 / f32::sqrt(self)
    }

    #[inline(always)]
    fn exp(self) -> Self {
        f32::exp(self)
    }

    #[inline(always)]
    fn exp2(self) -> Self {
        f32::exp2(self)
    }

    #[inline(always)]
    fn ln(self) -> Self {
        f32::ln(self)
    }

    #[inline(always)]
    fn log2(self) -> Self {
        f32::log2(self)
    }

    #[inline(always)]
    fn mul_add(self, a: Self, b: Self) -> Self {
        f32::mul_add(self, a, b)
    }

    #[inline(always)]
    fn abs(self) -> Self {
        f32::abs(self)
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        f32::min(self, other)
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        f32::max(self, other)
    }

    #[inline(always)]
    fn powf(self, p: Self) -> Self {
        f32::powf(self, p)
    }
}
