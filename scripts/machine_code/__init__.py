"""The machine-code gate: what NVIDIA's assembler makes of the kernels' PTX. Entry point: `cli.main`."""
