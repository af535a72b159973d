//! `wgmma`: products of four warps against sums that know nothing of descriptors or fragments, and a planted fault for each
//! rule of the instruction.

mod faults;
mod matrices;
mod sums;
#[path = "../support/mod.rs"]
mod support;

use matrices::Kind;
use ptx_interpreter::{Argument, Gpu, Grid, LaunchError};
use support::{module_text, parse};

const SEEDS: u64 = 6;

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

/// A's words of this thread.
const LOAD: &str =
    "shl.b32 %r5, %r1, 2; add.u32 %r5, %r2, %r5; ld.shared.b32 %r10, [%r5+1024]; ld.shared.b32 %r11, [%r5+1536];
     ld.shared.b32 %r12, [%r5+2048]; ld.shared.b32 %r13, [%r5+2560];";
