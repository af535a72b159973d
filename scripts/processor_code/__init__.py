"""The gate of the processor's machine code: whether vectors stay whole in hot loops. Entry point: `cli.main`."""
