//! `mma` and `ldmatrix`: matrices spread over the registers of a warp, as the ISA's tables of fragments say.
//!
//! Products are summed in f64 and rounded once: the ISA leaves order and intermediate rounding open, and this is as
//! accurate as any of them.

use super::Env;
use super::access::{from_bytes, locate};
use super::block::Block;
use super::collective::LaneTrouble;
use super::warp::lanes;
use crate::compute::half::{bf16_to_f64, f16_to_f64, f64_to_f16};
use crate::compute::{Round, Slot};
use crate::fault::{AccessKind, FaultKind};
use crate::instruction::{LoadMatrixOp, MatrixOp, Slots};
use crate::types::Type;

const ROWS: usize = 16;
const COLUMNS: usize = 8;

impl Block {
    pub(super) fn multiply(&mut self, env: &Env, first: u32, group: u32, op: MatrixOp) -> Result<(), LaneTrouble> {
        whole_warp(group)?;
        let depth = usize::from(op.depth);
        let mut a = vec![0.0; ROWS * depth];
        let mut b = vec![0.0; depth * COLUMNS];
        let mut c = [0.0; ROWS * COLUMNS];
        for lane in 0..32u32 {
            let (row, pair) = ((lane / 4) as usize, (lane % 4) as usize);
            // One element a register, or two.
            let elements = if op.input == Type::TF32 { 1 } else { 2 };
            for index in 0..ROWS * depth / 32 {
                let (r, k) = a_place(row, pair, index, elements);
                a[r * depth + k] = self.element(env, first, lane, op.a, index, op.input);
            }
            for index in 0..depth * COLUMNS / 32 {
                let k = if elements == 1 { pair + 4 * index } else { pair * 2 + index % 2 + index / 2 * 8 };
                b[k * COLUMNS + row] = self.element(env, first, lane, op.b, index, op.input);
            }
            for index in 0..4 {
                let place = (row + index / 2 * 8) * COLUMNS + pair * 2 + index % 2;
                c[place] = self.element(env, first, lane, op.c, index, op.output);
            }
        }
        for row in 0..ROWS {
            for column in 0..COLUMNS {
                let products = (0..depth).map(|k| a[row * depth + k] * b[k * COLUMNS + column]);
                c[row * COLUMNS + column] += products.sum::<f64>();
            }
        }
        self.store_result(env, first, op, &c);
        Ok(())
    }

    fn element(&self, env: &Env, first: u32, lane: u32, start: u32, index: usize, ty: Type) -> f64 {
        let register = |at: usize| self.lane_value(first, lane, env.code.vectors[start as usize + at]);
        let half = |at: usize| (register(at / 2) >> (16 * (at % 2))) as u16;
        match ty {
            Type::F16 => f16_to_f64(half(index)),
            Type::BF16 => bf16_to_f64(half(index)),
            // The unit ignores the low bits of a tf32.
            Type::TF32 => f64::from(f32::from_bits(register(index) as u32 & !0x1FFF)),
            _ => f64::from(f32::from_bits(register(index) as u32)),
        }
    }

    fn store_result(&mut self, env: &Env, first: u32, op: MatrixOp, c: &[f64]) {
        for lane in 0..32u32 {
            let (row, pair) = ((lane / 4) as usize, (lane % 4) as usize);
            let value = |index: usize| c[(row + index / 2 * 8) * COLUMNS + pair * 2 + index % 2];
            let slots = &env.code.vectors[op.d as usize..];
            if op.output == Type::F32 {
                for (index, slot) in slots.iter().take(4).enumerate() {
                    self.set_lane(first, lane, *slot, (value(index) as f32).put());
                }
            } else {
                for (register, slot) in slots.iter().take(2).enumerate() {
                    let half = |index: usize| u64::from(f64_to_f16(value(index), Round::Nearest));
                    let bits = half(2 * register) | half(2 * register + 1) << 16;
                    self.set_lane(first, lane, *slot, bits);
                }
            }
        }
    }

    /// Lane `8 i + r` holds the address of row `r` of matrix `i`; each lane gets two neighbours of each matrix.
    pub(super) fn load_matrix(
        &mut self,
        env: &mut Env,
        first: u32,
        group: u32,
        op: LoadMatrixOp,
        s: Slots,
    ) -> Result<(), LaneTrouble> {
        whole_warp(group)?;
        for matrix in 0..u32::from(op.count) {
            let mut rows = [[0u16; 8]; 8];
            for (row, elements) in rows.iter_mut().enumerate() {
                let lane = matrix * 8 + row as u32;
                let thread = &mut self.threads[(first + lane) as usize];
                let address = super::access::effective(thread, op.memory, s.a);
                let (bytes, _) =
                    locate(env, thread, op.memory, address, AccessKind::Read).map_err(|trouble| (trouble, lane))?;
                for (element, pair) in elements.iter_mut().zip(bytes.chunks_exact(2)) {
                    *element = from_bytes(pair, 2) as u16;
                }
            }
            let slot = env.code.vectors[op.d as usize + matrix as usize];
            for lane in 0..32u32 {
                let (row, column) = ((lane / 4) as usize, (lane % 4 * 2) as usize);
                let pick = |column: usize| u64::from(if op.transposed { rows[column][row] } else { rows[row][column] });
                self.set_lane(first, lane, slot, pick(column) | pick(column + 1) << 16);
            }
        }
        Ok(())
    }
}

/// Row and depth of an element of the first matrix.
fn a_place(row: usize, pair: usize, index: usize, elements: usize) -> (usize, usize) {
    if elements == 1 {
        (row + index % 2 * 8, pair + index / 2 * 4)
    } else {
        (row + index / 2 % 2 * 8, pair * 2 + index % 2 + index / 4 * 8)
    }
}

pub(super) fn whole_warp(group: u32) -> Result<(), LaneTrouble> {
    if group == u32::MAX {
        return Ok(());
    }
    let from = lanes(!group).next().unwrap_or(0);
    let lane = lanes(group).next().unwrap_or(0);
    let reason = "does not take part";
    let kind = FaultKind::InactiveLane { lane, from, reason, mask: u32::MAX };
    Err((kind.into(), lane))
}
