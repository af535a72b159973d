//! Launches that do not fit, and the device's memory as the host sees it.

mod support;

use ptx_interpreter::{Argument, Gpu, Grid, LaunchError, Limits, MemoryError, Module, OpcodeClass, Options};
use support::{module_text, parse};

fn launch(module: &Module, grid: Grid, arguments: &[Argument]) -> LaunchError {
    Gpu::new().launch(module, "k", grid, arguments).expect_err("the launch does not fit")
}

#[test]
fn unknown_kernels_list_similar_ones() {
    let module = parse(&module_text(".entry shift_gaussian_2() { ret; } .entry pairwise() { ret; }", "", ""));
    let error = Gpu::new().launch(&module, "shift_gausian_2", Grid::linear(1, 1), &[]).expect_err("a misspelling");
    assert_eq!(error.to_string(), "there is no kernel `shift_gausian_2`; there are `shift_gaussian_2`");
}

#[test]
fn arguments_fit_the_parameters() {
    let module =
        parse(&module_text("", ".param .u64 .ptr .align 1 x, .param .u32 n, .param .align 8 .b8 pair[16]", ""));
    let one = Grid::linear(1, 1);
    let error = launch(&module, one, &[Argument::U64(0)]);
    assert!(matches!(error, LaunchError::ArgumentCount { wanted: 3, given: 1, .. }), "{error}");
    let error = launch(&module, one, &[Argument::U64(0), Argument::U64(1), Argument::Bytes(&[0; 16])]);
    assert!(matches!(error, LaunchError::ArgumentSize { index: 1, wanted: 4, given: 8, .. }), "{error}");
    let good = [Argument::U64(0), Argument::U32(1), Argument::Bytes(&[0; 16])];
    Gpu::new().launch(&module, "k", one, &good).expect("they fit");
    let error = Gpu::new().launch_buffer(&module, "k", one, &[0; 28]).expect_err("the padding is missing");
    assert!(matches!(error, LaunchError::ArgumentBuffer { wanted: 32, given: 28, .. }), "{error}");
    Gpu::new().launch_buffer(&module, "k", one, &[0; 32]).expect("it fits");
    let offsets: Vec<u32> = module.kernel("k").expect("it is there").parameters().iter().map(|p| p.offset).collect();
    assert_eq!(offsets, [0, 8, 16]);
}

#[test]
fn sizes_have_limits() {
    let module = parse(&module_text(".shared .align 16 .b8 tile[40000];", "", "mov.u32 %r1, tile;"));
    let shape = |grid, block, dynamic_shared| Grid { grid, block, dynamic_shared };
    let cases = [
        (shape([1, 1, 1], [1025, 1, 1], 0), "the block's extent along x is 1025"),
        (shape([1, 1, 1], [1, 1, 65], 0), "the block's extent along z is 65"),
        (shape([1, 1, 1], [64, 32, 1], 0), "the number of threads of a block is 2048"),
        (shape([1, 65536, 1], [1, 1, 1], 0), "the grid's extent along y is 65536"),
        (shape([1, 1, 1], [1, 1, 1], 10000), "the block's shared memory in bytes is 50000"),
        (shape([0, 1, 1], [1, 1, 1], 0), "the grid has an extent of zero"),
    ];
    for (grid, expected) in cases {
        let error = launch(&module, grid, &[]).to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    let options = Options { limits: Limits::for_target("sm_90"), ..Options::default() };
    let roomy = Grid { dynamic_shared: 10000, ..Grid::linear(1, 1) };
    let mut gpu = Gpu::with_options(options);
    gpu.launch(&module, "k", roomy, &[]).expect("an opt-in makes room");
    // Not for what has a fixed size, whatever the GPU has.
    let large = parse(&module_text(".shared .align 16 .b8 tile[50000];", "", "mov.u32 %r1, tile;"));
    let error = gpu.launch(&large, "k", Grid::linear(1, 1), &[]).expect_err("48 KiB are the most").to_string();
    assert!(error.starts_with("the block's shared memory of a fixed size in bytes is 50000"), "{error}");
}

#[test]
fn blocks_fit_what_the_kernel_was_compiled_for() {
    let text =
        |directive: &str| format!(".version 7.8\n.target sm_90\n.address_size 64\n.entry k()\n{directive}\n{{ ret; }}");
    let error = launch(&parse(&text(".reqntid 64, 1, 1")), Grid::linear(1, 32), &[]);
    assert!(matches!(error, LaunchError::BlockShape { directive: ".reqntid", .. }), "{error}");
    let most = parse(&text(".maxntid 64\n.minnctapersm 2"));
    let error = launch(&most, Grid::linear(1, 65), &[]);
    assert!(matches!(error, LaunchError::BlockShape { directive: ".maxntid", .. }), "{error}");
    Gpu::new().launch(&most, "k", Grid::linear(1, 64), &[]).expect("it fits");
}

#[test]
fn memory_as_the_host_sees_it() {
    let mut gpu = Gpu::new();
    let buffer = gpu.alloc::<u16>(4);
    assert_eq!(gpu.read(&buffer), Err(MemoryError::Unwritten { index: 0 }));
    gpu.write_bytes(buffer.address(), &[1, 0, 2, 0, 3]).expect("it fits");
    assert_eq!(gpu.read(&buffer), Err(MemoryError::Unwritten { index: 2 }));
    let mut bytes = [0; 6];
    gpu.read_bytes(buffer.address(), &mut bytes).expect("it is there");
    assert_eq!(bytes, [1, 0, 2, 0, 3, 0xCB]);
    gpu.fill(buffer.address() + 5, 3, 0).expect("it fits");
    assert_eq!(gpu.read(&buffer), Ok(vec![1, 2, 3, 0]));
    let other = gpu.alloc::<u16>(4);
    gpu.copy(buffer.address(), other.address(), 8).expect("both are there");
    assert_eq!(gpu.read(&other), Ok(vec![1, 2, 3, 0]));
    assert!(matches!(gpu.write_bytes(buffer.address() + 4, &[0; 5]), Err(MemoryError::OutOfBounds { .. })));
    gpu.free(buffer.address()).expect("it is there");
    assert!(matches!(gpu.free(buffer.address()), Err(MemoryError::NotAllocated { .. })));
    assert!(matches!(gpu.read(&buffer), Err(MemoryError::OutOfBounds { .. })));
    assert_eq!(buffer.address() % 256, 0);
}

/// However many bytes it would have.
#[test]
#[should_panic(expected = "the buffer fits device memory")]
fn a_buffer_that_is_too_large_is_refused() {
    let _ = Gpu::new().alloc::<u64>(usize::MAX / 8 + 2);
}

#[test]
fn a_report_counts() {
    let module = parse(&module_text("", "", "bar.sync 0; add.u32 %r1, %r1, 1; mul.f32 %r2, %r2, %r2;"));
    let report = Gpu::new().launch(&module, "k", Grid::linear(3, 64), &[]).expect("it runs");
    assert_eq!((report.blocks, report.threads, report.barriers, report.instructions), (3, 192, 3, 192 * 4));
    assert_eq!((report.class(OpcodeClass::Integer), report.class(OpcodeClass::Float32)), (192, 192));
}

/// A device can be handed from thread to thread.
#[test]
fn a_device_can_be_sent() {
    fn assert_send<T: Send>() {}
    assert_send::<Gpu>();
    assert_send::<Module>();
}
