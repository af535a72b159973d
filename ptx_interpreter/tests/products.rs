//! `wgmma`: products of four warps against sums that know nothing of descriptors or fragments, and a planted fault for each
//! rule of the instruction.

mod support;

use ptx_interpreter::{Argument, FaultKind, Gpu, Grid, LaunchError, Module};
use support::{marked_lines, module_text, parse};

const SEEDS: u64 = 6;

/// How rows lie in shared memory: pieces of 16 bytes, by the figures of the ISA for matrices whose sums run along the rows.
#[derive(Clone, Copy, Debug)]
struct Layout {
    /// Bytes of a row in a pattern of eight rows.
    row: usize,
    /// What the descriptor says of it.
    mode: u64,
}

const NONE: Layout = Layout { row: 16, mode: 0 };
const B128: Layout = Layout { row: 128, mode: 1 };
const B64: Layout = Layout { row: 64, mode: 2 };
const B32: Layout = Layout { row: 32, mode: 3 };

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
fn number(matrix: usize, row: usize, k: usize) -> f32 {
    ((row * 7 + k * 13 + matrix * 5 + row * k % 11) % 9) as f32 - 4.0
}

/// Numbers of two bytes or four.
struct Kind {
    name: &'static str,
    depth: usize,
    bits: fn(f32) -> u32,
}

const BF16: Kind = Kind { name: "bf16", depth: 16, bits: |x| x.to_bits() >> 16 };
const F16: Kind = Kind { name: "f16", depth: 16, bits: half };
// The lowest bits are not looked at.
const TF32: Kind = Kind { name: "tf32", depth: 8, bits: |x| x.to_bits() | 0x1FFF };

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

/// A kernel of 128 threads over an image of shared memory, with sums that begin as 0.5; `body` stands for the product of
/// descriptors `%rd5` and `%rd6` into the vector `SUMS`.
fn kernel(bytes: usize, columns: usize, body: &str) -> String {
    let sums: Vec<String> = (0..columns / 2).map(|i| format!("%f{i}")).collect();
    let zeros: String = sums.iter().map(|sum| format!("mov.f32 {sum}, 0f3F000000;\n")).collect();
    let stores: String =
        sums.iter().enumerate().map(|(i, sum)| format!("st.global.f32 [%rd2+{}], {sum};\n", 4 * i)).collect();
    let body = body.replace("SUMS", &format!("{{{}}}", sums.join(", ")));
    module_text(
        &format!(".shared .align 1024 .b8 tile[{bytes}];"),
        ".param .u64 image, .param .u64 out, .param .u64 a, .param .u64 b",
        &format!(
            ".reg .f32 %f<128>;
            ld.param.u64 %rd1, [image]; ld.param.u64 %rd2, [out]; ld.param.u64 %rd5, [a]; ld.param.u64 %rd6, [b];
            mov.u32 %r1, %tid.x; mul.wide.u32 %rd3, %r1, {}; add.s64 %rd2, %rd2, %rd3;
            mov.u32 %r2, tile; and.b32 %r4, %r2, 0x3FFFF; shr.u32 %r4, %r4, 4; cvt.u64.u32 %rd4, %r4;
            add.s64 %rd5, %rd5, %rd4; add.s64 %rd6, %rd6, %rd4; setp.eq.u32 %p1, 0, 0;
            {zeros}
            mul.wide.u32 %rd3, %r1, 4; add.s64 %rd1, %rd1, %rd3; shl.b32 %r5, %r1, 2; add.u32 %r5, %r2, %r5; mov.u32 %r6, %r1;
            fill: ld.global.b32 %r7, [%rd1]; st.shared.b32 [%r5], %r7; add.s64 %rd1, %rd1, 512; add.u32 %r5, %r5, 512;
            add.u32 %r6, %r6, 128; setp.lt.u32 %p2, %r6, {}; @%p2 bra fill;
            {body}
            {stores}",
            2 * columns,
            bytes / 4,
        ),
    )
}

/// A whole product, as it should be.
fn product(kind: &Kind, columns: usize, signs: &str) -> String {
    format!(
        "fence.proxy.async.shared::cta; bar.sync 0; wgmma.fence.sync.aligned;
         wgmma.mma_async.sync.aligned.m64n{columns}k{}.f32.{name}.{name} SUMS, %rd5, %rd6, %p1, {signs};
         wgmma.commit_group.sync.aligned; wgmma.wait_group.sync.aligned 0;",
        kind.depth,
        name = kind.name,
    )
}

/// Two matrices in an image, each behind a gap, and their descriptors.
fn operands(kind: &Kind, columns: usize, layout: Layout, first: usize) -> (Vec<u8>, [u64; 2]) {
    let a = 1024;
    let b = a + layout.bytes(64).next_multiple_of(1024);
    // Pieces of a row that come behind the matrix.
    let mut image = vec![0xEE; (b + layout.bytes(columns)).next_multiple_of(512)];
    write_rows(&mut image, a, (0, 64), kind, layout, first);
    write_rows(&mut image, b, (1, columns), kind, layout, first);
    (image, [a, b].map(|start| layout.descriptor(start, first)))
}

/// Runs a kernel of [`kernel`]: 64 x columns sums, by the fragments of the ISA.
fn run(text: &str, image: &[u8], descriptors: [u64; 2], threads: u32, seed: u64) -> Result<Vec<f32>, LaunchError> {
    let module = parse(text);
    let columns = text.split("m64n").nth(1).and_then(|rest| rest.split('k').next()).map_or(8, |n| n.parse().unwrap());
    let mut gpu = Gpu::with_seed(seed);
    let words: Vec<u32> = image.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect();
    let (image, out) = (gpu.alloc_from(&words), gpu.alloc_from(&vec![0f32; 64 * columns]));
    let [a, b] = descriptors.map(Argument::U64);
    gpu.launch(&module, "k", Grid::linear(1, threads), &[(&image).into(), (&out).into(), a, b])?;
    let mut sums = vec![f32::NAN; 64 * columns];
    for (at, sum) in gpu.read(&out).unwrap().into_iter().enumerate() {
        let (thread, i) = (at / (columns / 2), at % (columns / 2));
        let (warp, lane) = (thread / 32, thread % 32);
        // Figure "WGMMA .m64nNk16 register fragment layout for accumulator matrix D".
        sums[(16 * warp + lane / 4 + 8 * (i / 2 % 2)) * columns + 8 * (i / 4) + lane % 4 * 2 + i % 2] = sum;
    }
    Ok(sums)
}

/// Two matrices as [`operands`] has them, but A as the words of threads, if it is to be in registers, and B's rows along the
/// sums, if it is turned.
fn operands_of(kind: &Kind, columns: usize, layout: Layout, in_registers: bool, turned: bool) -> (Vec<u8>, [u64; 2]) {
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

/// A's words of this thread.
const LOAD: &str =
    "shl.b32 %r5, %r1, 2; add.u32 %r5, %r2, %r5; ld.shared.b32 %r10, [%r5+1024]; ld.shared.b32 %r11, [%r5+1536];
     ld.shared.b32 %r12, [%r5+2048]; ld.shared.b32 %r13, [%r5+2560];";

fn expected(kind: &Kind, columns: usize, factor: f32, start: f32) -> Vec<f32> {
    let sum = |i: usize, j: usize| (0..kind.depth).map(|k| number(0, i, k) * number(1, j, k)).sum::<f32>();
    (0..64 * columns).map(|at| factor * sum(at / columns, at % columns) + start).collect()
}

#[test]
fn products_of_every_layout_and_kind() {
    for kind in [&BF16, &F16, &TF32] {
        // A last 32 bytes of the pattern's rows, where it has several.
        for (layout, first) in [(NONE, 0), (B32, 0), (B64, 0), (B64, 2), (B128, 0), (B128, 2), (B128, 6)] {
            for columns in [8, 24, 256] {
                let what = format!("{}, {layout:?} from piece {first}, {columns} columns", kind.name);
                let signs = if kind.depth == 8 { "1, 1" } else { "1, 1, 0, 0" };
                let text =
                    kernel(operands(kind, columns, layout, first).0.len(), columns, &product(kind, columns, signs));
                let (image, descriptors) = operands(kind, columns, layout, first);
                let found = run(&text, &image, descriptors, 128, columns as u64)
                    .unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(found, expected(kind, columns, 1.0, 0.5), "{what}");
            }
        }
    }
}

#[test]
fn products_of_registers_and_of_matrices_turned_over() {
    for kind in [&BF16, &F16] {
        for layout in [B32, B64, B128] {
            for (columns, in_registers, turned) in
                [(8, false, true), (24, true, false), (64, true, true), (160, true, true), (192, false, true)]
            {
                let what = format!("{}, {layout:?}, {columns} columns, {in_registers}, {turned}", kind.name);
                let (image, descriptors) = operands_of(kind, columns, layout, in_registers, turned);
                let (a, ways) = if in_registers { ("{%r10, %r11, %r12, %r13}", "") } else { ("%rd5", "0, ") };
                let body = product(kind, columns, &format!("-1, 1, {ways}{}", u8::from(turned)));
                let body = body.replace("%rd5", a).replace("bar.sync 0;", &format!("bar.sync 0; {LOAD}"));
                let text = kernel(image.len(), columns, &body);
                let found = run(&text, &image, descriptors, 128, columns as u64)
                    .unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(found, expected(kind, columns, -1.0, 0.5), "{what}");
            }
        }
    }
}

#[test]
fn signs_and_sums_that_begin_anew() {
    let (image, descriptors) = operands(&BF16, 8, B128, 0);
    for (signs, factor) in [("-1, 1, 0, 0", -1.0), ("1, -1, 0, 0", -1.0), ("-1, -1, 0, 0", 1.0)] {
        let text = kernel(image.len(), 8, &product(&BF16, 8, signs));
        assert_eq!(run(&text, &image, descriptors, 128, 1).unwrap(), expected(&BF16, 8, factor, 0.5), "{signs}");
    }
    let text = kernel(image.len(), 8, &format!("setp.ne.u32 %p1, 0, 0;\n{}", product(&BF16, 8, "1, 1, 0, 0")));
    assert_eq!(run(&text, &image, descriptors, 128, 1).unwrap(), expected(&BF16, 8, 1.0, 0.0));
}

/// Products of a group, and of several groups, follow each other in the same sums.
#[test]
fn products_follow_each_other() {
    let (image, descriptors) = operands(&BF16, 8, B128, 0);
    let mma = "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 SUMS, %rd5, %rd6, %p1, 1, 1, 0, 0;";
    let commit = "wgmma.commit_group.sync.aligned;";
    let body = format!(
        "fence.proxy.async; bar.sync 0; wgmma.fence.sync.aligned; {mma} {mma} {commit} wgmma.fence.sync.aligned; {mma} {commit}
         wgmma.wait_group.sync.aligned 1; wgmma.wait_group.sync.aligned 0;"
    );
    let text = kernel(image.len(), 8, &body);
    for seed in 0..SEEDS {
        assert_eq!(run(&text, &image, descriptors, 128, seed).unwrap(), expected(&BF16, 8, 3.0, 0.5), "seed {seed}");
    }
}

/// A faulty body and its mended twin, in which `MMA` is a product, `MMAR` one of a matrix in registers, which `LOAD` sets,
/// and `COMMIT` and `WAIT` what they are called.
fn planted(faulty: &str, mended: &str, is_expected: impl Fn(&FaultKind) -> bool) {
    let (image, descriptors) = operands(&BF16, 8, B128, 0);
    let of_registers =
        "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 SUMS, {%r10, %r11, %r12, %r13}, %rd6, %p1, 1, 1, 0;";
    let text = |body: &str| {
        let body = body
            .replace("LOAD", LOAD)
            .replace("MMAR", of_registers)
            .replace("PUBLISH", "fence.proxy.async.shared::cta;")
            .replace("FENCE", "wgmma.fence.sync.aligned;")
            .replace("MMA", "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 SUMS, %rd5, %rd6, %p1, 1, 1, 0, 0;")
            .replace("COMMIT", "wgmma.commit_group.sync.aligned;")
            .replace("WAIT", "wgmma.wait_group.sync.aligned 0;");
        kernel(image.len(), 8, &body)
    };
    for seed in 0..SEEDS {
        let (text, mended) = (text(faulty), text(mended));
        let Err(LaunchError::Fault(fault)) = run(&text, &image, descriptors, 128, seed) else {
            panic!("seed {seed}: no fault\n{text}");
        };
        assert!(is_expected(&fault.kind), "seed {seed}: {fault}");
        assert!(marked_lines(&text, "// FAULT").contains(&fault.party.ptx_line), "seed {seed}: {fault}\n{text}");
        run(&mended, &image, descriptors, 128, seed).unwrap_or_else(|error| panic!("seed {seed}, mended: {error}"));
    }
}

#[test]
fn what_was_written_has_to_be_published() {
    let is_expected = |kind: &FaultKind| matches!(kind, FaultKind::NotPublished { .. });
    let good = "PUBLISH bar.sync 0;\nFENCE MMA COMMIT WAIT";
    planted("bar.sync 0;\nFENCE MMA COMMIT WAIT // FAULT", good, is_expected);
    // A fence before the write, and one that is for global memory only.
    let write = "st.shared.b32 [%r2+1024], 0;";
    let faulty = format!("PUBLISH {write} bar.sync 0;\nFENCE MMA COMMIT WAIT // FAULT");
    let one_writes = "setp.eq.u32 %p3, %r1, 0;\n@%p3";
    let faulty = faulty.replace(write, &format!("{one_writes} {write}"));
    let mended = format!("{one_writes} {write} PUBLISH bar.sync 0;\nFENCE MMA COMMIT WAIT");
    planted(&faulty, &mended, is_expected);
    planted("fence.proxy.async.global; bar.sync 0;\nFENCE MMA COMMIT WAIT // FAULT", good, is_expected);
    // The reader's own fence will do, behind the barrier, and not before it.
    planted("bar.sync 0;\nFENCE MMA COMMIT WAIT // FAULT", "bar.sync 0; PUBLISH\nFENCE MMA COMMIT WAIT", is_expected);
}

#[test]
fn nothing_orders_without_a_barrier() {
    let good = "PUBLISH bar.sync 0;\nFENCE MMA COMMIT WAIT";
    planted("PUBLISH\nFENCE MMA COMMIT WAIT // FAULT\nfill_too:", good, |kind| {
        matches!(kind, FaultKind::Race { .. } | FaultKind::Uninitialised { .. })
    });
}

#[test]
fn sums_are_nobodys_before_the_wait() {
    let is_expected = |kind: &FaultKind| matches!(kind, FaultKind::SumsUnderWay);
    let start = "PUBLISH bar.sync 0; FENCE MMA";
    let good = format!("{start} COMMIT WAIT\nadd.f32 %f1, %f1, 0f00000000;");
    for touch in ["add.f32 %f100, %f1, %f1;", "mov.f32 %f3, 0f00000000;", "st.global.v2.f32 [%rd2], {%f0, %f1};"] {
        planted(&format!("{start} COMMIT\n{touch} // FAULT\nWAIT"), &good, is_expected);
    }
    // A wait for older groups, and one before the group was closed.
    planted(
        &format!("{start} COMMIT wgmma.wait_group.sync.aligned 1;\nadd.f32 %f1, %f1, 0f00000000; // FAULT\nWAIT"),
        &good,
        is_expected,
    );
    planted(&format!("{start} WAIT\nadd.f32 %f1, %f1, 0f00000000; // FAULT\nCOMMIT WAIT"), &good, is_expected);
    // The same registers in another order.
    let other =
        "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%f1, %f0, %f2, %f3}, %rd5, %rd6, %p1, 1, 1, 0, 0;";
    planted(&format!("{start} COMMIT\n{other} // FAULT\nCOMMIT WAIT"), &good, is_expected);
}

#[test]
fn registers_of_a_matrix_are_nobodys_before_the_wait() {
    let is_expected = |kind: &FaultKind| matches!(kind, FaultKind::FragmentUnderWay);
    let start = "PUBLISH bar.sync 0; LOAD FENCE MMAR";
    let good = format!("{start} MMAR COMMIT WAIT\nadd.u32 %r11, %r11, 1;");
    for touch in ["add.u32 %r10, %r10, 1;", "add.u32 %r20, %r13, 1;", "st.global.v2.b32 [%rd2], {%r11, %r12};"] {
        planted(&format!("{start} COMMIT\n{touch} // FAULT\nWAIT"), &good, is_expected);
    }
    planted(
        &format!("{start} COMMIT wgmma.wait_group.sync.aligned 1;\nmov.u32 %r10, 1; // FAULT\nWAIT"),
        &good,
        is_expected,
    );
    // A register of A as a sum, and a sum as a register of A.
    let swapped = |sums: &str, a: &str| {
        format!("wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {{{sums}}}, {{{a}}}, %rd6, %p1, 1, 1, 0;")
    };
    let sums = swapped("%f4, %f5, %f6, %r13", "%r14, %r15, %r16, %r17");
    let more = "mov.u32 %r14, 0; mov.u32 %r15, 0; mov.u32 %r16, 0; mov.u32 %r17, 0; mov.f32 %f4, 0f00000000;
        mov.f32 %f5, 0f00000000; mov.f32 %f6, 0f00000000;";
    let first = format!("PUBLISH bar.sync 0; LOAD {more} FENCE MMAR COMMIT");
    planted(
        &format!("{first}\n{sums} // FAULT\nCOMMIT WAIT"),
        &format!("{first} WAIT FENCE {sums} COMMIT WAIT"),
        is_expected,
    );
    let a = swapped("%f4, %f5, %f6, %f7", "%f0, %r15, %r16, %r17");
    let first = first.replace("FENCE", "mov.f32 %f7, 0f00000000; FENCE");
    planted(&format!("{first}\n{a} // FAULT\nCOMMIT WAIT"), &format!("{first} WAIT FENCE {a} COMMIT WAIT"), |kind| {
        matches!(kind, FaultKind::SumsUnderWay)
    });
}

#[test]
fn registers_of_a_matrix_are_fenced() {
    let is_expected = |kind: &FaultKind| matches!(kind, FaultKind::FragmentNotFenced);
    planted(
        "PUBLISH bar.sync 0; FENCE LOAD\nMMAR COMMIT WAIT // FAULT",
        "PUBLISH bar.sync 0; LOAD\nFENCE MMAR COMMIT WAIT",
        is_expected,
    );
    let twice = "PUBLISH bar.sync 0; LOAD FENCE MMAR COMMIT WAIT add.u32 %r12, %r12, 0;\nMMAR COMMIT WAIT // FAULT";
    planted(twice, &twice.replace(";\nMMAR", "; FENCE\nMMAR"), is_expected);
}

#[test]
fn sums_are_fenced() {
    let is_expected = |kind: &FaultKind| matches!(kind, FaultKind::SumsNotFenced);
    let good = "PUBLISH bar.sync 0;\nFENCE MMA COMMIT WAIT";
    planted("PUBLISH bar.sync 0;\nMMA COMMIT WAIT // FAULT", good, is_expected);
    planted("PUBLISH bar.sync 0; FENCE mov.f32 %f2, 0f00000000;\nMMA COMMIT WAIT // FAULT", good, is_expected);
    let twice = "PUBLISH bar.sync 0; FENCE MMA COMMIT WAIT add.f32 %f2, %f2, %f2;\nMMA COMMIT WAIT // FAULT";
    planted(twice, &twice.replace(";\nMMA", "; FENCE\nMMA"), is_expected);
}

#[test]
fn matrices_stay_until_the_wait() {
    let overwrite = "setp.eq.u32 %p3, %r1, 127;\n@%p3 st.shared.b32 [%r2+1028], 7;";
    let start = "PUBLISH bar.sync 0;";
    let good = format!("{start} FENCE MMA COMMIT WAIT bar.sync 0; {overwrite}");
    // Barriers do not wait for products.
    let faulty = format!("{start}\nFENCE MMA COMMIT // FAULT\nbar.sync 0; {overwrite} bar.sync 0; WAIT");
    planted(&faulty, &good, |kind| matches!(kind, FaultKind::WrittenUnderWay { .. }));
    // A wait of one warp says nothing of the others.
    let faulty = format!(
        "{start}\nFENCE MMA COMMIT // FAULT\nWAIT\nsetp.eq.u32 %p3, %r1, 127;\n@%p3 st.shared.b32 [%r2+1028], 7; // FAULT"
    );
    planted(&faulty, &good, |kind| matches!(kind, FaultKind::Race { .. }));
}

#[test]
fn warps_go_together() {
    let is_expected = |kind: &FaultKind| matches!(kind, FaultKind::WarpgroupDiverged);
    let good = "PUBLISH bar.sync 0;\nFENCE MMA COMMIT WAIT";
    // One warp's descriptor, one lane's, and a warp that leaves.
    let other = |condition: &str| {
        format!("PUBLISH bar.sync 0; {condition} @%p3 add.s64 %rd6, %rd6, 2;\nFENCE MMA COMMIT WAIT // FAULT")
    };
    planted(&other("setp.ge.u32 %p3, %r1, 96;"), good, is_expected);
    planted(&other("setp.eq.u32 %p3, %r1, 3;"), good, is_expected);
    planted(
        "PUBLISH bar.sync 0; setp.ge.u32 %p3, %r1, 96;\n@%p3 exit; // FAULT\nFENCE MMA COMMIT WAIT",
        good,
        is_expected,
    );
}

#[test]
fn a_warpgroup_is_whole_and_descriptors_mean_something() {
    let (image, [a, b]) = operands(&BF16, 8, B128, 0);
    let text = kernel(image.len(), 8, &product(&BF16, 8, "1, 1, 0, 0"));
    let fault = |text: &str, descriptors, threads| match run(text, &image, descriptors, threads, 1) {
        Err(LaunchError::Fault(fault)) => fault.kind,
        other => panic!("{other:?}"),
    };
    assert!(matches!(fault(&text, [a, b], 96), FaultKind::WarpgroupNotWhole { threads: 96 }));
    let base_offset = fault(&text, [a | 1 << 49, b], 128);
    assert!(matches!(base_offset, FaultKind::BadDescriptor { .. }), "{base_offset}");
    assert!(base_offset.to_string().contains("base offset"), "{base_offset}");
    let turned = text.replace("1, 1, 0, 0;", "1, 1, 0, 1;");
    let unswizzled = fault(&turned, [a, b & !(3 << 62)], 128).to_string();
    assert!(unswizzled.contains("with a swizzle only"), "{unswizzled}");
    let outside = fault(&text, [a, b + 1024], 128);
    assert!(matches!(outside, FaultKind::OutOfBounds { .. }), "{outside}");
    let two = text.replace(".shared .align 1024", ".shared .align 4 .b8 other[4]; .shared .align 1024");
    let two = two.replace("mov.u32 %r2, tile;", "mov.u32 %r2, other; mov.u32 %r2, tile;");
    assert!(fault(&two, [a, b], 128).to_string().contains("several shared variables"));
}

#[test]
fn other_forms_are_refused_by_name() {
    let refused = |code: &str| {
        let text = module_text("", ".param .u64 x", &format!(".reg .f32 %f<4>;\n{code}"));
        Module::parse(&text).err().unwrap_or_else(|| panic!("`{code}` was taken")).kind.to_string()
    };
    let mma = |form: &str, operands: &str| {
        refused(&format!("wgmma.mma_async.sync.aligned.{form} {{%f0, %f1, %f2, %f3}}, {operands};"))
    };
    for form in [
        "m64n8k32.f32.e4m3.e4m3",
        "m64n8k16.f16.f16.f16",
        "m64n8k32.s32.s8.s8",
        "m64n12k16.f32.bf16.bf16",
        "m64n8k8.f32.bf16.bf16",
    ] {
        let message = mma(form, "%rd1, %rd2, %p1, 1, 1, 0, 0");
        assert!(message.contains(form) || message.contains("type"), "{form}: {message}");
    }
    assert!(mma("m64n8k16.f32.bf16.bf16", "%rd1, %rd2, %p1, 1, 1, 1, 0").contains("along the columns"));
    assert!(mma("m64n8k8.f32.tf32.tf32", "%rd1, %rd2, %p1, 1, 1, 0, 1").contains("of B in 16 bits"));
    assert!(mma("m64n8k16.f32.bf16.bf16", "%rd1, %rd2, %p1, 2, 1, 0, 0").contains("signs are 1 or -1"));
    let in_registers = "{%r1, %r2, %r3, %r4}, %rd2, %p1, 1, 1";
    assert!(mma("m64n8k8.f32.tf32.tf32", in_registers).contains("tf32 in registers"));
    assert!(mma("m64n8k16.f32.bf16.bf16", &format!("{in_registers}, 0, 0")).contains("ways"));
    assert!(mma("m64n8k16.f32.bf16.bf16", "{%r1, %r2}, %rd2, %p1, 1, 1, 0").contains("4 registers"));
    assert!(mma("m64n16k16.f32.bf16.bf16", "%rd1, %rd2, %p1, 1, 1, 0, 0").contains("8 registers"));
    assert!(refused("wgmma.wait_group.sync.aligned 8;").contains("from 0 to 7"));
    assert!(refused("wgmma.fence.aligned;").contains("unknown instruction `wgmma.fence.aligned`"));
    assert!(refused("wgmma.mma_async.sp.sync.aligned.m64n8k32.f32.bf16.bf16 {%f0, %f1, %f2, %f3}, %rd1, %rd2, %r1, 0, %p1, 1, 1, 0, 0;").contains("wgmma"));
}
