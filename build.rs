//! Has cuda_builder compile the kernels in gpu/, and hands the PTX to the library.

fn main() -> Result<(), cuda_builder::Error> {
    cuda_builder::CudaBuilder::new("gpu").build_for_cargo()
}
