"""What measures the peers: cases, the f64 oracle, timers, rows. The peers themselves are in `peers`."""
