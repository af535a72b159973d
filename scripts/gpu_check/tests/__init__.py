"""Tests of gpu-check, on stand-ins for the programs: they run in seconds, anywhere."""
