//! Matrices in shared memory, by the figures of the ISA: how rows lie, and what a descriptor says of it.

/// How rows lie in shared memory: pieces of 16 bytes, by the figures of the ISA for matrices whose sums run along the rows.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Bytes of a row in a pattern of eight rows.
    row: usize,
    /// What the descriptor says of it.
    mode: u64,
}

pub const NONE: Layout = Layout { row: 16, mode: 0 };
pub const B128: Layout = Layout { row: 128, mode: 1 };
pub const B64: Layout = Layout { row: 64, mode: 2 };
pub const B32: Layout = Layout { row: 32, mode: 3 };

impl Layout {
    /// Bytes of so many rows of 32 bytes, in whole patterns.
    fn bytes(self, rows: usize) -> usize {
        rows * self.row.max(32)
    }

    /// Where a piece of a row stands: `first` pieces of the pattern's rows come before the matrix.
    fn place(self, row: usize, piece: usize, first: usize) -> usize {
        match self.row {
            // Columns of eight pieces, both of eight rows before the next eight rows.
            16 => row / 8 * 256 + piece * 128 + row % 8 * 16,
            128 => row * 128 + ((piece + first) ^ (row % 8)) * 16,
            64 => row * 64 + ((piece + first) ^ (row % 8 / 2)) * 16,
            _ => row * 32 + ((piece + first) ^ (row % 8 / 4)) * 16,
        }
    }

    /// The descriptor's upper bits, and its lower ones for a matrix at `start`.
    fn descriptor(self, start: usize, first: usize) -> u64 {
        let (leading, stride) = if self.row == 16 { (128, 256) } else { (0, 8 * self.row as u64) };
        self.mode << 62 | (stride >> 4) << 32 | (leading >> 4) << 16 | (start as u64 / 16 + first as u64)
    }
}

/// A small integer, which is exact in every type.
pub fn number(matrix: usize, row: usize, k: usize) -> f32 {
    ((row * 7 + k * 13 + matrix * 5 + row * k % 11) % 9) as f32 - 4.0
}

/// Numbers of two bytes or four.
pub struct Kind {
    pub name: &'static str,
    pub depth: usize,
    bits: fn(f32) -> u32,
}

pub const BF16: Kind = Kind { name: "bf16", depth: 16, bits: |x| x.to_bits() >> 16 };
pub const F16: Kind = Kind { name: "f16", depth: 16, bits: half };
// The lowest bits are not looked at.
pub const TF32: Kind = Kind { name: "tf32", depth: 8, bits: |x| x.to_bits() | 0x1FFF };

/// An integer of at most 11 bits as f16.
fn half(x: f32) -> u32 {
    let bits = x.to_bits();
    if x == 0.0 { 0 } else { bits >> 16 & 0x8000 | ((bits >> 23 & 0xFF) + 15 - 127) << 10 | bits >> 13 & 0x3FF }
}

/// The bytes of shared memory with rows of a matrix at `start`.
fn write_rows(
    image: &mut [u8],
    start: usize,
    (matrix, rows): (usize, usize),
    kind: &Kind,
    layout: Layout,
    first: usize,
) {
    let size = 32 / kind.depth;
    for row in 0..rows {
        for k in 0..kind.depth {
            let at = start + layout.place(row, k * size / 16, first) + k * size % 16;
            let bits = (kind.bits)(number(matrix, row, k)).to_le_bytes();
            image[at..at + size].copy_from_slice(&bits[..size]);
        }
    }
}

/// Two matrices in an image, each behind a gap, and their descriptors.
pub fn operands(kind: &Kind, columns: usize, layout: Layout, first: usize) -> (Vec<u8>, [u64; 2]) {
    let a = 1024;
    let b = a + layout.bytes(64).next_multiple_of(1024);
    // Pieces of a row that come behind the matrix.
    let mut image = vec![0xEE; (b + layout.bytes(columns)).next_multiple_of(512)];
    write_rows(&mut image, a, (0, 64), kind, layout, first);
    write_rows(&mut image, b, (1, columns), kind, layout, first);
    (image, [a, b].map(|start| layout.descriptor(start, first)))
}

/// Two matrices as [`operands`] has them, but A as the words of threads, if it is to be in registers, and B's rows along the
/// sums, if it is turned.
pub fn operands_of(
    kind: &Kind,
    columns: usize,
    layout: Layout,
    in_registers: bool,
    turned: bool,
) -> (Vec<u8>, [u64; 2]) {
    let (mut image, mut descriptors) = operands(kind, columns, layout, 0);
    let bits = |matrix, row, k| (kind.bits)(number(matrix, row, k)).to_le_bytes();
    if in_registers {
        image.resize(image.len().max(1024 + 2048), 0xEE);
        // Figure "WGMMA .m64k16 register fragment layout for matrix A": four words of each thread, all threads' first ones first.
        for (thread, i) in (0..128).flat_map(|thread| (0..4).map(move |i| (thread, i))) {
            let (row, k) = (thread / 32 * 16 + thread % 32 / 4 + i % 2 * 8, i / 2 * 8 + thread % 4 * 2);
            for e in 0..2 {
                let at = 1024 + (128 * i + thread) * 4 + 2 * e;
                image[at..at + 2].copy_from_slice(&bits(0, row, k + e)[..2]);
            }
        }
    }
    if turned {
        let start = image.len().next_multiple_of(1024);
        // 16 rows for each pattern's width of columns: two patterns, one behind the other.
        let leading = 16 * layout.row;
        image.resize(start + (2 * columns).div_ceil(layout.row) * leading, 0xEE);
        for (row, column) in (0..16).flat_map(|row| (0..columns).map(move |column| (row, column))) {
            let place = layout.place(row, column % (layout.row / 2) / 8, 0);
            let at = start + 2 * column / layout.row * leading + place + column % 8 * 2;
            image[at..at + 2].copy_from_slice(&bits(1, column, row)[..2]);
        }
        descriptors[1] = layout.descriptor(start, 0) | (leading as u64 >> 4) << 16;
    }
    image.resize(image.len().next_multiple_of(512), 0xEE);
    (image, descriptors)
}
