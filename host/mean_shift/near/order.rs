//! Orders of points that keep neighbours together.

use super::{curve, tour};
use crate::error::Result;
use crate::executor::{Buffer, Device};
use crate::mean_shift::labels::Columns;

/// Bits of a key that bring equal points together.
pub const HASH_BITS: u32 = 16;

/// The most dimensions in which points lie along a curve.
const MOST_ALONG_CURVE: usize = 4;

/// What an order is to be like.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The side of the cells of a curve's grid.
    pub side: f64,
    /// How many others look at these points, or are looked at by them: no order is worth more than that.
    pub others: usize,
    /// Whether points that are equal in every bit are to be next to each other, but for a few that another one with the same hash
    /// may separate.
    pub equal: bool,
}

/// Numbers of 32 bits that an order takes beside its keys and theirs, for n points.
pub fn numbers(n: usize, d: usize) -> u128 {
    if d <= MOST_ALONG_CURVE { 0 } else { tour::numbers(n, d) }
}

/// The points in an order that keeps neighbours together: in up to four dimensions that of a curve through the cells of a grid, in more
/// that of a tour of some of them.
///
/// # Errors
/// [`Error::TooMany`](crate::Error::TooMany); too little memory; whatever the device reports.
pub fn order(device: &Device, points: Columns<'_>, wanted: Wanted) -> Result<Buffer<u32>> {
    match points.d {
        _ if points.n == 0 => device.zeros(0),
        0..=MOST_ALONG_CURVE => curve::order(device, points, wanted),
        _ => tour::order(device, points, wanted),
    }
}
