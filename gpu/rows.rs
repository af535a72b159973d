//! Points as the steps' tiles hold them: of a size that one or two loads of shared memory can fetch.

/// A point of D coordinates in a tile, and how much it counts.
pub trait Row<const D: usize>: Copy {
    /// Whether a point has marks of its own: see [`factor`](Self::factor) and [`scale`](Self::scale).
    const MARKED: bool;
    /// Whether a point is where it is from the middle of its box, with what products want of it: see local.rs.
    const LOCAL: bool = false;
    /// The point with these coordinates and marks.
    fn new(coordinates: [f32; D], factor: f32, scale: f32) -> Self;
    /// Its coordinates.
    fn coordinates(&self) -> [f32; D];
    /// What its weight is multiplied by: 1 without marks.
    #[inline(always)]
    fn factor(&self) -> f32 {
        1.0
    }
    /// What a squared distance to it is multiplied by, before the weight is taken: 1 without marks.
    #[inline(always)]
    fn scale(&self) -> f32 {
        1.0
    }
    /// |x|^2, where the row has it.
    #[inline(always)]
    fn squared(&self) -> f32 {
        0.0
    }
}

macro_rules! rows {
    ($($plain:ident, $marked:ident: $d:literal, $align:literal;)*) => { $(
        #[doc = concat!("A point in a tile: ", $d, " coordinates, aligned to ", $align, " bytes.")]
        #[derive(Clone, Copy)]
        #[repr(C, align($align))]
        pub struct $plain {
            coordinates: [f32; $d],
        }

        impl Row<$d> for $plain {
            const MARKED: bool = false;

            #[inline(always)]
            fn new(coordinates: [f32; $d], _factor: f32, _scale: f32) -> Self {
                Self { coordinates }
            }

            #[inline(always)]
            fn coordinates(&self) -> [f32; $d] {
                self.coordinates
            }
        }

        #[doc = concat!("A point in a tile: ", $d, " coordinates and two marks.")]
        #[derive(Clone, Copy)]
        #[repr(C, align(16))]
        pub struct $marked {
            coordinates: [f32; $d],
            factor: f32,
            scale: f32,
        }

        impl Row<$d> for $marked {
            const MARKED: bool = true;

            #[inline(always)]
            fn new(coordinates: [f32; $d], factor: f32, scale: f32) -> Self {
                Self { coordinates, factor, scale }
            }

            #[inline(always)]
            fn coordinates(&self) -> [f32; $d] {
                self.coordinates
            }

            #[inline(always)]
            fn factor(&self) -> f32 {
                self.factor
            }

            #[inline(always)]
            fn scale(&self) -> f32 {
                self.scale
            }
        }
    )* };
}

rows! {
    Row1, Marked1: 1, 4;
    Row2, Marked2: 2, 8;
    Row3, Marked3: 3, 16;
    Row4, Marked4: 4, 16;
}

macro_rules! local_rows {
    ($($local:ident: $d:literal;)*) => { $(
        #[doc = concat!("A point in a tile: ", $d, " coordinates, and the sum of their squares.")]
        #[derive(Clone, Copy)]
        #[repr(C, align(16))]
        pub struct $local {
            coordinates: [f32; $d],
            squared: f32,
        }

        impl Row<$d> for $local {
            const MARKED: bool = false;
            const LOCAL: bool = true;

            #[inline(always)]
            fn new(coordinates: [f32; $d], _factor: f32, _scale: f32) -> Self {
                let mut squared = coordinates[0] * coordinates[0];
                for c in 1..$d {
                    squared += coordinates[c] * coordinates[c];
                }
                Self { coordinates, squared }
            }

            #[inline(always)]
            fn coordinates(&self) -> [f32; $d] {
                self.coordinates
            }

            #[inline(always)]
            fn squared(&self) -> f32 {
                self.squared
            }
        }
    )* };
}

local_rows! {
    Local2: 2;
    Local3: 3;
}
