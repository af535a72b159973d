"""The GPU check: what runs on the machine that is measured, and what becomes of its results."""
